import { assert, describe, it } from "@effect/vitest"
import type { PGlite } from "@electric-sql/pglite"
import { PgliteBroken, PgliteSession } from "../../../src/stores/pglite/Server.ts"

const ready = (status: string): Uint8Array => Uint8Array.of(0x5a, 0, 0, 0, 5, status.charCodeAt(0))

const message = (type: string, body = ""): Uint8Array => {
  const bytes = new Uint8Array(5 + body.length)
  bytes[0] = type.charCodeAt(0)
  new DataView(bytes.buffer).setInt32(1, 4 + body.length)
  bytes.set(Buffer.from(body), 5)
  return bytes
}

const startup = Uint8Array.of(0, 0, 0, 9, 0, 3, 0, 0, 0)

/** Answers each call with the next of `answers`, in pieces; writes down what it was given. */
const scripted = (answers: ReadonlyArray<ReadonlyArray<Uint8Array>>) => {
  const given: Array<string> = []
  const sent: Array<Uint8Array> = []
  // The one method that a session calls.
  const pglite = {
    execProtocolRawStream: (bytes: Uint8Array, { onRawData }: { readonly onRawData: (data: Uint8Array) => void }) => {
      const window = new Uint8Array(64)
      for (const piece of answers[given.length] ?? [ready("I")]) {
        // PGlite's memory is used again at once.
        window.set(piece)
        onRawData(window.subarray(0, piece.length))
        window.fill(0xff)
      }
      given.push(Buffer.from(bytes).toString("latin1"))
      return Promise.resolve()
    }
  } as unknown as PGlite
  return { given, sent, session: new PgliteSession(pglite, (bytes) => sent.push(bytes)) }
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1")

describe("PgliteSession", () => {
  it("runs whole messages only, wherever the bytes are cut", async () => {
    const stream = Buffer.concat([startup, message("P", "one"), message("S"), message("Q", "two")])
    for (let cut = 1; cut < stream.length; cut++) {
      const { given, session } = scripted([])
      await session.write(stream.subarray(0, cut))
      await session.write(stream.subarray(cut))
      assert.strictEqual(given.join(""), text(stream), `cut at ${cut}`)
    }
  })

  it("keeps what it answers although PGlite uses the memory again", async () => {
    const { sent, session } = scripted([[ready("I")], [message("C", "done"), ready("I")]])
    await session.write(startup)
    await session.write(message("S"))
    assert.strictEqual(sent.map(text).join(""), text(Buffer.concat([ready("I"), message("C", "done"), ready("I")])))
  })

  it("knows whether a transaction is open, also when the answer comes in pieces", async () => {
    const { session } = scripted([[ready("I")], [ready("T").subarray(0, 3), ready("T").subarray(3)], [ready("I")]])
    await session.write(startup)
    await session.write(message("S"))
    assert.isFalse(session.idle)
    await session.write(message("S"))
    assert.isTrue(session.idle)
  })

  it("is broken by a cycle without an answer, and by one that ends in the middle", async () => {
    for (const answer of [[], [message("C", "done")], [ready("I").subarray(0, 5)]]) {
      const { session } = scripted([[ready("I")], answer])
      await session.write(startup)
      const error = await session.write(message("S")).then(
        () => undefined,
        (cause: unknown) => cause
      )
      assert.instanceOf(error, PgliteBroken)
    }
  })

  it("takes no message of a senseless length", async () => {
    for (const length of [3, -1, 0x7fffffff]) {
      const { session } = scripted([])
      await session.write(startup)
      const bytes = message("Q", "x")
      new DataView(bytes.buffer).setInt32(1, length)
      const error = await session.write(bytes).then(
        () => undefined,
        (cause: unknown) => cause
      )
      assert.instanceOf(error, PgliteBroken)
    }
  })

  it("ends with nothing open: it skips a failed cycle's rest, rolls back and discards", async () => {
    const { given, session } = scripted([])
    await session.write(startup)
    await session.write(message("P", "half").subarray(0, 6))
    await session.reset()
    assert.deepStrictEqual(given.slice(1), [
      text(message("S")),
      text(message("Q", "rollback\0")),
      text(message("Q", "discard all\0"))
    ])
  })

  it("leaves Terminate to the one who ends the session", async () => {
    const { given, session } = scripted([])
    await session.write(Buffer.concat([startup, message("X")]))
    assert.deepStrictEqual(given, [text(startup)])
  })
})
