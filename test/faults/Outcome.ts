/** What a scenario has shown: its figures, whether they are as promised, one line for people and one for programs. */
import type { Verdict, Verified } from "./Audit.ts"
import type { FaultClient } from "./FaultClient.ts"
import type { Stores } from "./Rig.ts"

export interface Outcome {
  readonly scenario: string
  /** One sentence: what was done to whom. */
  readonly what: string
  readonly stores: Stores
  readonly seed: number
  readonly connections: number
  readonly verdict: Verdict
  readonly verified: Verified
  /** From the end of the fault until every answer is whole again and the service calls itself well, ms. */
  readonly healMillis: number
  /** All in all, ms. */
  readonly durationMillis: number
  readonly answers: FaultClient["answers"]
  readonly slowestMillis: FaultClient["slowest"]
  /** Of the service's process, MB. */
  readonly resident: { readonly start: number; readonly most: number }
  readonly figures: Readonly<Record<string, number | string>>
  /** What is not as promised; empty: all is well. */
  readonly problems: ReadonlyArray<string>
}

/** What every scenario promises. */
export const promisesBroken = (
  { doubled, lost, untrue }: Verdict,
  { differences }: Verified,
  heal: { readonly millis: number; readonly limit: number }
): ReadonlyArray<string> => [
  ...(lost > 0 ? [`${lost} lost`] : []),
  ...(doubled > 0 ? [`${doubled} doubled`] : []),
  ...(untrue > 0 ? [`${untrue} untrue answers`] : []),
  ...(differences > 0 ? [`verify found ${differences} differences`] : []),
  ...(heal.millis > heal.limit ? [`healed after ${heal.millis} ms, allowed are ${heal.limit}`] : [])
]

const number = (value: number): string => Math.round(value).toLocaleString("en")

const phases = ({ answers }: Outcome): string => {
  const { accepted, full, none, unavailable } = answers.fault
  return full + accepted + unavailable + none === 0
    ? ""
    : `; meanwhile ${number(full)} whole answers, ${number(accepted)} × 202, ${number(unavailable)} × 503, ${number(none)} without an answer`
}

/** One line. */
export const textLine = (outcome: Outcome): string => {
  const { figures, problems, resident, verdict, verified } = outcome
  const more = Object.entries(figures).map(([name, value]) => `, ${name} ${value}`)
  return (
    `${problems.length === 0 ? "ok" : "BROKEN"}  ${outcome.scenario} (${outcome.stores}): ${outcome.what}` +
    `; sent ${number(verdict.sent)}, acknowledged ${number(verdict.acknowledged)}, lost ${verdict.lost}, ` +
    `doubled ${verdict.doubled}, untrue ${verdict.untrue}${phases(outcome)}; ` +
    `healed in ${(outcome.healMillis / 1000).toFixed(1)} s, verify of ${number(verified.wallets)} wallets and ` +
    `${number(verdict.events)} events: ${verified.differences} differences; ` +
    `memory ${resident.start} MB, at most ${resident.most} MB${more.join("")}` +
    (problems.length === 0 ? "" : `; BROKEN: ${problems.join("; ")}`)
  )
}

export const jsonLine = (outcome: Outcome): string => JSON.stringify({ ok: outcome.problems.length === 0, ...outcome })
