/** What `verify` warns of: rules of the user's that do not let the engine's own facts pass. No difference yet, but one to come. */
import * as Effect from "effect/Effect"
import type { Persistence, RuleFault, RuleTrial } from "../../stores/Persistence.ts"

const faultWarning = ({ reason, rule, table, tried }: RuleFault): string =>
  `the ${rule} on ${table} refuses ${tried}: ${reason}. A rule has to let the engine's own facts pass ` +
  `(docs/OPERATIONS.md, "Rules of your own")`

const untriedWarning = (reason: string): string => `rules of your own on the tables were not tried: ${reason}`

const warningsOf = ({ faults, untried }: RuleTrial): ReadonlyArray<string> => [
  ...faults.map(faultWarning),
  ...(untried === undefined ? [] : [untriedWarning(untried)])
]

/** Never fails: a trial that cannot be made is a warning, too. */
export const ruleWarnings = ({ tryRules }: Persistence["Service"]): Effect.Effect<ReadonlyArray<string>> =>
  tryRules === undefined
    ? Effect.succeed([])
    : Effect.match(tryRules, { onSuccess: warningsOf, onFailure: ({ message }) => [untriedWarning(message)] })
