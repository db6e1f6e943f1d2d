import type { QueueType } from '@nq/core';
import { channelQueue } from './channel-queue.ts';

/** How a channel is opened from configuration: `channel://?capacity=100`, or `{ type: 'channel', bufferSize: 100 }`. */
export const queueType: QueueType = {
  type: 'channel',
  options: {
    leaseMs: 'ms',
    isolation: ['reference', 'copy'],
    maxPayloadBytes: 'count',
    maxAttempts: 'count',
    deadLetterCapacity: 'count',
    clock: 'value',
  },
  open: (options) => channelQueue(options),
};
