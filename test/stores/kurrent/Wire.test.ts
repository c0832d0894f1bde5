/** Our encoder against the client's: whatever it is given, the server reads the same message. */
import { assert, describe, it } from "@effect/vitest"
import { KurrentDBClient } from "@kurrent/kurrentdb-client"
import * as FastCheck from "fast-check"
import { createRequire } from "node:module"
import { isDirect } from "../../../src/stores/kurrent/Call.ts"
import { encodeAppend, type WireCheck, type WireRecord } from "../../../src/stores/kurrent/Wire.ts"

interface Message {
  readonly toObject: () => unknown
}
const generated = "@kurrent/kurrentdb-client/generated/kurrentdb/protocols/v2/streams/streams_pb"
const { AppendRecordsRequest } = createRequire(import.meta.url)(generated) as {
  readonly AppendRecordsRequest: { readonly deserializeBinary: (bytes: Uint8Array) => Message }
}

const base64 = (text: string) => Buffer.from(text, "utf8").toString("base64")

/** The message as the client's own classes read it, for comparison. */
const expected = (records: ReadonlyArray<WireRecord>, checks: ReadonlyArray<WireCheck>) => ({
  recordsList: records.map(({ data, id, metadata, stream, type }) => ({
    recordId: id,
    stream,
    schema: { format: 1, name: type, id: "" },
    data: base64(data),
    propertiesMap: new Map(Object.entries(metadata))
  })),
  checksList: checks.map(({ state, stream }) => ({
    streamState: { stream, expectedState: state === "no_stream" ? "-1" : String(state) }
  }))
})

const read = (bytes: Uint8Array) => {
  const message = AppendRecordsRequest.deserializeBinary(bytes).toObject() as {
    readonly recordsList: ReadonlyArray<{
      readonly propertiesMap: ReadonlyArray<readonly [string, { readonly stringValue: string }]>
    }>
  }
  return {
    ...message,
    recordsList: message.recordsList.map((one) => ({
      ...one,
      propertiesMap: new Map(one.propertiesMap.map(([key, value]) => [key, value.stringValue]))
    }))
  }
}

const assertSame = (records: ReadonlyArray<WireRecord>, checks: ReadonlyArray<WireCheck>) =>
  assert.deepEqual(read(encodeAppend(records, checks)) as unknown, expected(records, checks) as unknown)

const text = FastCheck.oneof(
  FastCheck.string({ unit: "grapheme", maxLength: 300 }),
  FastCheck.string({ maxLength: 20_000 })
)
const name = FastCheck.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 200 })
const wireRecord = FastCheck.record({
  stream: name,
  id: FastCheck.uuid(),
  type: name,
  data: text,
  // A plain object has no own `__proto__`; the names of metadata are ours, and it is none of them.
  metadata: FastCheck.dictionary(
    name.filter((key) => key !== "__proto__"),
    text,
    { maxKeys: 10, noNullPrototype: true }
  )
})
const wireCheck = FastCheck.record({
  stream: name,
  state: FastCheck.oneof(
    FastCheck.constant("no_stream" as const),
    FastCheck.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
    FastCheck.bigInt({ min: 0n, max: 300n })
  )
})

describe("the bytes of an append", () => {
  it("are read by the client's own classes as what they were made of", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(wireRecord, { maxLength: 5 }),
        FastCheck.array(wireCheck, { maxLength: 5 }),
        assertSame
      ),
      { numRuns: 300 }
    )
  })

  it("are right at every length where another byte is needed", () => {
    for (const length of [0, 1, 63, 64, 127, 128, 129, 16_383, 16_384]) {
      for (const letter of ["x", "ž"]) {
        const stretched = letter.repeat(length)
        assertSame(
          [
            {
              stream: `wallet-${length}`,
              id: "id",
              type: "T",
              data: stretched,
              metadata: { [`k${length}`]: stretched }
            }
          ],
          [{ stream: stretched, state: BigInt(length) }]
        )
      }
    }
  })

  it("go the fast way with the client that is installed", () => {
    assert.isTrue(isDirect(KurrentDBClient.connectionString("kurrentdb://127.0.0.1:1?tls=false")))
  })
})
