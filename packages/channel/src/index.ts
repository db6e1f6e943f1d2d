export { type ChannelOptions } from './channel-options.ts';
export { channelQueue } from './channel-queue.ts';
export { queueType } from './channel-type.ts';
