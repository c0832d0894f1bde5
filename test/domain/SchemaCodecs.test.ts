/** The codecs by hand against the parsers of the schemas that they follow: the same, over whole events and commands. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as FastCheck from "fast-check"
import { assert, describe, it } from "vitest"
import { typed } from "../../src/domain/Codec.ts"
import { commandCases, type RemoteCommand } from "../../src/domain/Command.ts"
import { decodeCommand, encodeCommand } from "../../src/domain/CommandCodec.ts"
import { eventCases, type WalletEvent } from "../../src/domain/Event.ts"
import { decodeEventData, eventData } from "../../src/domain/EventCodec.ts"
import { command } from "./Examples.ts"
import { goldenEvents } from "./GoldenEvents.ts"
import { live, lives } from "./Lives.ts"

const exact = { onExcessProperty: "error" } as const

const events = typed({ cases: eventCases })
const readEvent = Schema.decodeUnknownResult(events, exact)
const writeEvent = Schema.encodeSync(events)

const commands = typed({ cases: commandCases })
const readCommand = Schema.decodeUnknownResult(commands, exact)
const writeCommand = Schema.encodeSync(commands)

const eventJson = (event: WalletEvent) => ({ type: event._tag, ...eventData(event) })

/** Both read the same, or neither reads it. */
const same = <A>(byHand: Result.Result<A, unknown>, bySchema: Result.Result<A, unknown>): void =>
  assert.deepStrictEqual(Result.getOrUndefined(byHand), Result.getOrUndefined(bySchema))

/** What a field may be damaged into. */
const damage = FastCheck.oneof(
  FastCheck.jsonValue(),
  FastCheck.constantFrom<unknown>("0", "-1", "01", "10", 7, -7, 0.5, "EUR", "a b", "closed", undefined),
  FastCheck.record({ type: FastCheck.constantFrom("Hold", "NoHold", "Status"), holdId: FastCheck.constantFrom("a", 1) })
)

/** One object, and one of its fields (or one that it has not). */
const damaged = (whole: ReadonlyArray<object>) =>
  FastCheck.constantFrom(...whole).chain((json) =>
    FastCheck.tuple(
      FastCheck.constant(json),
      FastCheck.constantFrom(...Object.keys(json).filter((name) => name !== "type"), "more"),
      damage
    )
  )

describe("events by hand and by their schemas", () => {
  it("are written and read the same, over any life of a wallet", () => {
    FastCheck.assert(
      FastCheck.property(lives, (steps) => {
        for (const { event } of live(steps).log) {
          const json = eventJson(event)
          assert.deepStrictEqual<unknown>(writeEvent(event), json)
          same(decodeEventData(event._tag, eventData(event)), readEvent(json))
        }
      }),
      { numRuns: 50 }
    )
  })

  it("are refused alike when damaged", () => {
    FastCheck.assert(
      FastCheck.property(damaged(Object.values(goldenEvents).map(eventJson)), ([json, field, value]) => {
        const { type, ...data } = { ...json, [field]: value } as { readonly type: string }
        same(decodeEventData(type, data), readEvent({ type, ...data }))
      }),
      { numRuns: 2_000 }
    )
  })
})

const note = { reference: "r", metadata: { a: "1" } }
const sent: ReadonlyArray<RemoteCommand> = [
  ...(Object.keys(commandCases) as ReadonlyArray<RemoteCommand["_tag"]>).map((tag) => command(tag)),
  command("Credit", note),
  command("PlaceHold", { ...note, expiresAt: Number.NaN }),
  command("CaptureHold", { amount: -4n, final: true }),
  command("SendTransfer", { destination: "closed" }),
  command("UpdateWallet", { overdraftLimit: 10n ** 400n, metadata: null })
]

describe("commands by hand and by their schemas", () => {
  it("are written and read the same", () => {
    for (const given of sent) {
      const json = encodeCommand(given)
      assert.deepStrictEqual<unknown>(writeCommand(given), json)
      same(decodeCommand(json), readCommand(json))
    }
  })

  it("are refused alike when damaged", () => {
    FastCheck.assert(
      FastCheck.property(damaged(sent.map(encodeCommand)), ([json, field, value]) => {
        const given = { ...json, [field]: value }
        same(decodeCommand(given), readCommand(given))
      }),
      { numRuns: 2_000 }
    )
  })
})
