import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { Envelope } from "../../src/actors/Mailbox.ts"
import { answer, Mailbox } from "../../src/actors/Mailbox.ts"

const envelope = (bytes: number, answers: Array<unknown> = []): Envelope => ({
  _tag: "Envelope",
  command: { _tag: "Freeze", walletId: "a", reason: null, direction: null, until: null },
  key: `c:${bytes}`,
  fingerprint: "f",
  actor: null,
  correlationId: null,
  bytes,
  await: "persisted",
  ifVersion: null,
  dryRun: false,
  resend: undefined,
  resume: (effect) => answers.push(effect),
  offeredAt: 0,
  stage: "waiting"
})

describe("a mailbox", () => {
  it("gives its messages in the order of arrival, a part at a time, and keeps count of the bytes", () => {
    const mailbox = new Mailbox()
    const messages = [envelope(1), envelope(2), envelope(3)]
    for (const message of messages) mailbox.push(message)
    mailbox.push({ _tag: "Inquiry", minVersion: 0, resume: () => {} })
    assert.deepStrictEqual([mailbox.size, mailbox.bytes], [4, 6])
    assert.deepStrictEqual(mailbox.take(2), messages.slice(0, 2))
    assert.deepStrictEqual([mailbox.size, mailbox.bytes], [2, 3])
    assert.strictEqual(mailbox.take(2).length, 2)
    assert.deepStrictEqual([mailbox.size, mailbox.bytes], [0, 0])
  })

  it.effect("wakes its reader by a message that came before the reader has lain down", () =>
    Effect.gen(function* () {
      const mailbox = new Mailbox()
      mailbox.push(envelope(1))
      yield* mailbox.park()
      assert.isFalse(mailbox.isParked)
    })
  )

  it.effect("wakes its reader by a message and by a bare signal", () =>
    Effect.gen(function* () {
      const mailbox = new Mailbox()
      const reader = yield* Effect.forkChild(mailbox.park(), { startImmediately: true })
      assert.isTrue(mailbox.isParked)
      mailbox.push(envelope(1))
      yield* Fiber.join(reader)
      mailbox.take(1)
      const again = yield* Effect.forkChild(mailbox.park(), { startImmediately: true })
      mailbox.signal()
      yield* Fiber.join(again)
    })
  )

  it("answers a caller once, whoever comes first", () => {
    const answers: Array<unknown> = []
    const asked = envelope(1, answers)
    const first = Effect.die("first")
    answer(asked, first)
    answer(asked, Effect.die("second"))
    assert.deepStrictEqual(answers, [first])
  })
})
