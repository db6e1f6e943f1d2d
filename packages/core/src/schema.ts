import { NqError } from './errors.ts';

/**
 * What nq uses of Standard Schema v1 (https://standardschema.dev, "The Specification"): zod, valibot, arktype and others
 * have it.
 */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
  };
}

type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** @throws {NqError} `NQ_PAYLOAD` naming the places in `data` that `schema` refuses, without their values. */
export async function checkData<Output>(schema: StandardSchema<Output>, type: string, data: unknown): Promise<Output> {
  const result = await schema['~standard'].validate(data);
  if (result.issues === undefined) return result.value;
  const places = result.issues.map(({ path = [] }) => `data${path.map(placeOf).join('')}`);
  throw new NqError(
    'NQ_PAYLOAD',
    `The data of an event of type ${JSON.stringify(type)} does not fit its schema at ${places.join(', ')}`,
    { cause: result.issues },
  );
}

function placeOf(segment: PropertyKey | { readonly key: PropertyKey }): string {
  const key = typeof segment === 'object' ? segment.key : segment;
  return typeof key === 'number' ? `[${key}]` : `.${String(key)}`;
}
