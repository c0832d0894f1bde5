/** A load in phases, as a file tells them: `{"phases": [{"name": "ramp", "seconds": 30, "from": 100, "to": 2000}]}`. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Phase } from "./ArrivalTimes.ts"

/** Operations per second. */
const Rate = Schema.Finite.check(
  Schema.makeFilter((rate: number) => (rate >= 0 && rate <= 1_000_000) || "a rate is 0 to 1,000,000 per second")
)

const PhaseJson = Schema.Struct({
  name: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(64)),
  seconds: Schema.Finite.check(
    Schema.makeFilter((seconds: number) => (seconds > 0 && seconds <= 86_400) || "a phase lasts up to 86,400 seconds")
  ),
  /** All the time, … */
  rate: Schema.optionalKey(Rate),
  /** … or from the one evenly to the other. */
  from: Schema.optionalKey(Rate),
  to: Schema.optionalKey(Rate),
  /** `false`: sent and not counted. */
  counted: Schema.optionalKey(Schema.Boolean)
}).check(
  Schema.makeFilter(
    ({ from, rate, to }) =>
      (rate === undefined ? from !== undefined && to !== undefined : from === undefined && to === undefined) ||
      "a phase has a rate, or from and to"
  )
)

const ScenarioJson = Schema.Struct({
  phases: Schema.Array(PhaseJson).check(Schema.isMinLength(1), Schema.isMaxLength(100))
}).check(
  Schema.makeFilter(
    ({ phases }) => phases.some(({ counted }) => counted !== false) || "at least one of the phases has to be counted"
  )
)

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(ScenarioJson), { onExcessProperty: "error" })

/** Fails with what is wrong with the text. */
export const parseScenario = (text: string) =>
  Effect.map(decode(text), ({ phases }) =>
    phases.map(({ counted = true, from, name, rate, seconds, to }): Phase => ({
      name,
      millis: seconds * 1_000,
      from: rate ?? from ?? 0,
      to: rate ?? to ?? 0,
      counted
    }))
  )
