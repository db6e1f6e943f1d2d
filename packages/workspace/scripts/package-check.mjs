// `pnpm package-check`: what a package's users and bundlers see (publint, attw), and what nobody uses (knip).
import { exitWith, runPnpm, runTurbo, step, StepFailed } from './steps.mjs';

await exitWith(async () => {
  await step('Checking the published packages with publint and attw', async () => {
    const { code, output } = await runTurbo(['package-check', '--continue=dependencies-successful']);
    if (code !== 0) throw new StepFailed('A package is not fit to publish; what is wrong with it is above.', output);
  });
  await step('Looking for unused files, exports and dependencies with knip', async () => {
    const { code, output } = await runPnpm(['exec', 'knip', '--treat-config-hints-as-errors']);
    if (code !== 0) throw new StepFailed('Something is unused or not declared; knip lists it above.', output);
  });
  return 0;
});
