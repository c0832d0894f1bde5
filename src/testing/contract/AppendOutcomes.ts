/** Outcomes of appends as the cases compare them. */
import type { AppendOutcome } from "../../stores/EventStore.ts"

type Outcome = { readonly _tag: "Appended" } | Exclude<AppendOutcome, { readonly _tag: "Appended" }>

export const appended: Outcome = { _tag: "Appended" }
export const conflict: Outcome = { _tag: "Conflict" }
export const keySeen: Outcome = { _tag: "KeySeen" }

/** Without the positions, which no case can know beforehand. */
export const bare = (outcomes: ReadonlyArray<AppendOutcome>): ReadonlyArray<Outcome> =>
  outcomes.map((outcome) => (outcome._tag === "Appended" ? appended : outcome))
