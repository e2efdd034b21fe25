/**
 * What every suite gets from `run.ts`.
 *
 * @module
 */
export interface SuiteOptions {
  /** The cluster to measure on; suites that need one report what is missing without it. */
  readonly kubeconfig: string | undefined;
  /** Replaces the suite's own number of rounds, for a quick look. */
  readonly rounds: number | undefined;
  readonly progress: (text: string) => void;
}
