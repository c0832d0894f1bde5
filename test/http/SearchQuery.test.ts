/** Metadata to search by, on their way through a URL. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as fc from "fast-check"
import { isMetadata, maxMetadataFilters } from "../../src/domain/Limits.ts"
import { searchQuery } from "../../src/http/api/SearchQuery.ts"

const query = Schema.toCodecStringTree(searchQuery({}))
const strict = { onExcessProperty: "error" } as const

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.string({
    unit: fc.constantFrom("%", "[", "]", "+", "&", "=", "#", " ", "\u0000", "é", "_", "🐎", "\ud800"),
    maxLength: 8
  }),
  fc.constantFrom("__proto__", "constructor", "metadata", "limit", "")
)

/** Own properties, whatever their names. */
const metadata = fc.array(fc.tuple(text, text), { maxLength: 6 }).map((pairs) => Object.fromEntries(pairs))

it.effect("any pairs that are allowed arrive as they were given, and no others are sent", () =>
  Effect.gen(function* () {
    const checked = fc.asyncProperty(metadata, (pairs) =>
      Effect.runPromise(
        Effect.gen(function* () {
          const keys = Object.keys(pairs)
          const isAllowed =
            isMetadata(pairs) &&
            keys.length <= maxMetadataFilters &&
            keys.every((key) => key !== "" && !/[[\]]/.test(key))
          const encoded = yield* Effect.result(
            Schema.encodeUnknownEffect(query, strict)({ metadata: pairs, q: "word" })
          )
          assert.strictEqual(encoded._tag === "Success", isAllowed)
          if (encoded._tag !== "Success") return
          const url = new URL("http://localhost/")
          for (const [name, value] of Object.entries(encoded.success ?? {}))
            url.searchParams.append(name, String(value))
          const sent = Object.fromEntries(new URL(url.href).searchParams)
          const decoded = yield* Schema.decodeUnknownEffect(query, strict)(sent)
          assert.deepStrictEqual(decoded, keys.length === 0 ? { q: "word" } : { q: "word", metadata: pairs })
        })
      )
    )
    yield* Effect.promise(() => fc.assert(checked, { numRuns: 500 }))
  })
)
