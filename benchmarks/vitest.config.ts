export { default } from '../packages/workspace/vitest.base.ts';
