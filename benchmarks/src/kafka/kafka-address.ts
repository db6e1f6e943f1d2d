/** Where a case finds Kafka, as JSON. */
export interface KafkaAddress {
  /** As `host:port`. */
  readonly brokers: readonly string[];
  /** What runs the tools that come with Kafka; the reason, if they cannot be had. */
  readonly tools: { readonly java: string; readonly classPath: string } | { readonly missing: string };
}

export function readAddress(address: string): KafkaAddress {
  return JSON.parse(address) as KafkaAddress;
}
