/**
 * Processes that push and take events while they are killed and cut off, and write down what became of each call for the
 * history checker.
 *
 * @module
 */
export { act, type ActorOptions } from './act.ts';
export { type Actor, Cast, type Play } from './cast.ts';
export { cuts, pick } from './chance.ts';
