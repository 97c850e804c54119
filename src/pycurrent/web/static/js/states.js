// The states of stages and jobs: their order, words and signs, as the page brings them.

const { stages, jobs } = JSON.parse(document.body.dataset.states ?? '{"stages": [], "jobs": {}}');

/** The names of the states of stages, that of most concern first. A rank is a place in it. */
export const STATES = stages.map(({ name }) => name);
export const SIGNS = stages.map(({ sign }) => sign);
export const WORDS = stages.map(({ word }) => word);

/** For the name of each state of a job its sign and its word. */
export const JOB_STATES = jobs;

const RANKS = new Map(STATES.map((state, rank) => [state, rank]));
// As addresses of pages without a script have it.
for (const [rank, state] of STATES.entries()) RANKS.set(state.replaceAll("-", "_"), rank);

/** The place of a state in `STATES`; -1 for an unknown one. */
export function rankOf(state) {
  return RANKS.get(state) ?? -1;
}
