/** What the console makes of amounts, times, lists and requests, without a browser. */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as FastCheck from "fast-check"
import { spawnSync } from "node:child_process"
import { parse } from "csv-parse/sync"
import { failureOf } from "../../console/src/api/Failure.ts"
import { csvOf } from "../../console/src/format/Csv.ts"
import { curlOf, quoted } from "../../console/src/format/Curl.ts"
import { chipOf, parseFind } from "../../console/src/format/Filters.ts"
import { formatAmount, formatChange, parseAmount } from "../../console/src/format/Money.ts"
import { parseMetrics, sumOf } from "../../console/src/format/Prometheus.ts"
import { scaleOf } from "../../console/src/format/Scale.ts"
import { readTime, showSeconds, showTime } from "../../console/src/format/Time.ts"
import * as Problem from "../../src/http/api/Problem.ts"

describe("amounts", () => {
  // Columns: minor units, currency, as it is shown.
  const shown: ReadonlyArray<readonly [bigint, string, string]> = [
    [0n, "EUR", "0.00"],
    [5n, "EUR", "0.05"],
    [123_456n, "EUR", "1,234.56"],
    [-123_456n, "EUR", "−1,234.56"],
    [-5n, "EUR", "−0.05"],
    [12_345n, "JPY", "12,345"],
    [1_234n, "KWD", "1.234"],
    [12_345n, "CLF", "1.2345"],
    [123_456_789n, "USDC", "123,456,789"],
    [10n ** 36n - 1n, "EUR", "9,999,999,999,999,999,999,999,999,999,999,999.99"]
  ]
  it.each(shown)("shows %s %s as %s", (amount, currency, text) => {
    assert.strictEqual(formatAmount(amount, currency), text)
  })

  it("shows a change with its sign", () => {
    assert.deepStrictEqual(
      [1n, 0n, -1n].map((amount) => formatChange(amount, "EUR")),
      ["+0.01", "0.00", "−0.01"]
    )
  })

  it("takes what it has shown for the same integer, of any size", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.bigInt({ min: 1n, max: 10n ** 30n - 1n }),
        FastCheck.constantFrom("EUR", "JPY", "KWD", "CLF", "USDC"),
        (amount, currency) => {
          const parsed = parseAmount(formatAmount(amount, currency).replaceAll(",", ""), currency)
          assert.deepStrictEqual(parsed, { amount })
        }
      )
    )
  })

  // Columns: typed, currency, minor units or why not.
  const typed: ReadonlyArray<readonly [string, string, bigint | RegExp]> = [
    ["12.5", "EUR", 1_250n],
    [" 12 ", "EUR", 1_200n],
    ["0.01", "EUR", 1n],
    ["9007199254740993", "JPY", 9_007_199_254_740_993n],
    ["12.345", "EUR", /2 decimals/],
    ["12.0", "JPY", /no decimals/],
    ["1.5", "USDC", /not known/],
    ["1,234", "EUR", /like 1234.56/],
    ["1.234,56", "EUR", /like 1234.56/],
    ["-1", "EUR", /like 1234.56/],
    ["1e3", "EUR", /like 1234.56/],
    ["١٢", "EUR", /like 1234.56/],
    ["0", "EUR", /more than zero/],
    ["", "EUR", /missing/],
    ["1".repeat(31), "JPY", /30 digits/]
  ]
  it.each(typed)("takes %s in %s for %s", (text, currency, expected) => {
    const parsed = parseAmount(text, currency)
    if (typeof expected === "bigint") assert.deepStrictEqual(parsed, { amount: expected })
    else assert.match("fault" in parsed ? parsed.fault : "", expected)
  })
})

describe("the scale of a chart", () => {
  it("has every value between its lowest and its highest tick, in order", () => {
    const balances = FastCheck.array(FastCheck.bigInt({ min: -(10n ** 36n), max: 10n ** 36n }), {
      minLength: 1,
      maxLength: 20
    })
    FastCheck.assert(
      FastCheck.property(balances, (values) => {
        const { position, ticks, top } = scaleOf(values)
        assert.isAtMost(ticks.length, 12)
        assert.deepStrictEqual([position(ticks[0]!), position(ticks.at(-1)!)], [0, top])
        const sorted = [...values].sort((one, other) => (one < other ? -1 : 1)).map(position)
        assert.isTrue(sorted.every((at, index) => at >= (sorted[index - 1] ?? 0) && at <= top))
      })
    )
  })
})

describe("times", () => {
  // Columns: written, as it is shown.
  const written: ReadonlyArray<readonly [string, string | undefined]> = [
    ["2026-01-31 12:00", "2026-01-31 12:00:00.000"],
    ["2026-01-31", "2026-01-31 00:00:00.000"],
    ["2026-01-31T12:00:01.5Z", "2026-01-31 12:00:01.500"],
    ["2026-01-31 12:00+02:00", "2026-01-31 10:00:00.000"],
    ["2026-02-30", undefined],
    ["31.1.2026", undefined],
    ["yesterday", undefined],
    ["", undefined]
  ]
  it.each(written)("reads %s as %s, in UTC", (text, shown) => {
    const time = readTime(text)
    assert.strictEqual(time === undefined ? undefined : showTime(time), shown)
  })

  it("shows how long something takes in the unit that fits", () => {
    assert.deepStrictEqual([0, 0.25, 3, 600, 36_000].map(showSeconds), ["0 s", "250 ms", "3.0 s", "10 min", "10 h"])
  })
})

describe("a list as CSV", () => {
  const columns = [
    { name: "a", value: (row: readonly [string, string]) => row[0] },
    { name: "b", value: (row: readonly [string, string]) => row[1] }
  ]

  // Columns: a value, as a spreadsheet gets it.
  const cells: ReadonlyArray<readonly [string, string]> = [
    ["=1+1", "'=1+1"],
    ["+1 555", "'+1 555"],
    ["-2+3", "'-2+3"],
    ["@SUM(A1)", "'@SUM(A1)"],
    [" =1+1", "' =1+1"],
    ["\t=1", "'\t=1"],
    ["\r=1", "'\r=1"],
    ["＝1", "'＝1"],
    ['=HYPERLINK("http://x","y")', '\'=HYPERLINK("http://x","y")'],
    ["-150", "-150"],
    ["150", "150"],
    ["a=b", "a=b"],
    ['say "hi", twice', 'say "hi", twice'],
    ["two\nlines", "two\nlines"]
  ]
  it.each(cells)("has %j as %j", (value, expected) => {
    const [row] = parse(csvOf(columns, [[value, "end"]]), { from_line: 2 }) as ReadonlyArray<ReadonlyArray<string>>
    assert.deepStrictEqual(row, [expected, "end"])
  })

  it("is read as it was, whatever stands in it", () => {
    const text = FastCheck.string({ unit: "grapheme" })
    FastCheck.assert(
      FastCheck.property(FastCheck.array(FastCheck.tuple(text, text), { minLength: 1 }), (rows) => {
        const read = parse(csvOf(columns, rows), { from_line: 2, relax_column_count: false }) as ReadonlyArray<
          ReadonlyArray<string>
        >
        const bare = (value: string) => value.replace(/^'/, "")
        assert.deepStrictEqual(
          read.map((row) => row.map(bare)),
          rows.map((row) => row.map(bare))
        )
      })
    )
  })
})

describe("a request for a shell", () => {
  it("hands every text over as it is, through a real shell", () => {
    const hostile = [
      "'",
      "'; touch x; '",
      "$(touch x)",
      "`touch x`",
      "\\",
      "\n",
      "!!",
      '"',
      "a'b\"c$d`e\\f",
      "\u2028",
      "--",
      ""
    ]
    const { stdout } = spawnSync("sh", ["-c", `printf '%s\\0' ${hostile.map(quoted).join(" ")}`], { encoding: "utf8" })
    assert.deepStrictEqual(stdout.split("\0").slice(0, -1), hostile)
  })

  it("names the key by a variable alone, and each part where it belongs", () => {
    const body = { reference: "it's $HOME" }
    const line = curlOf("http://127.0.0.1:3000/", { method: "POST", path: "/v1/wallets/a/credit", body }, "k'1")
    const args = spawnSync("sh", ["-c", `curl() { printf '%s\\0' "$@"; }; ${line}`], {
      encoding: "utf8",
      env: { WALLET_API_KEY: "s" }
    }).stdout.split("\0")
    assert.deepStrictEqual(args.slice(0, -1), [
      "-gsS",
      "-X",
      "POST",
      "http://127.0.0.1:3000/v1/wallets/a/credit",
      "-H",
      "Authorization: Bearer s",
      "-H",
      "Idempotency-Key: k'1",
      "-H",
      "Content-Type: application/json",
      "--data-raw",
      JSON.stringify(body)
    ])
  })

  it("keeps what a proxy has put before the service", () => {
    assert.include(
      curlOf("https://a.example/wallet/", { method: "GET", path: "/v1/wallets" }),
      "'https://a.example/wallet/v1/wallets'"
    )
  })
})

describe("what is typed into Find", () => {
  // Columns: typed, the filters that it makes.
  const typed: ReadonlyArray<readonly [string, Record<string, string>]> = [
    ["alice", { q: "alice" }],
    ["owner:ann two words", { ownerId: "ann", q: "two words" }],
    ['ref:"invoice 9" key:k-1', { reference: "invoice 9", idempotencyKey: "k-1" }],
    ['meta.plan:gold metadata.Level:"very high"', { "metadata[plan]": "gold", "metadata[Level]": "very high" }],
    ["Owner:ann OWNER:ben", { ownerId: "ben" }],
    ["http://a.example nonsense:1", { q: "http://a.example nonsense:1" }],
    ['"owner:ann"', { q: "owner:ann" }],
    ["meta.__proto__:x", { "metadata[__proto__]": "x" }],
    ["owner:", { q: "owner:" }],
    ["   ", {}]
  ]
  it.each(typed)("%s", (text, filters) => {
    assert.deepStrictEqual(parseFind(text), filters)
  })

  it("is said again by its chips", () => {
    assert.deepStrictEqual(
      [chipOf("ownerId", "ann"), chipOf("metadata[plan]", "gold"), chipOf("q", "a b"), chipOf("cursor", "x")],
      ["owner: ann", "meta.plan: gold", "“a b”", "cursor: x"]
    )
  })
})

describe("a page of metrics", () => {
  it("is read as names, labels and values", () => {
    const samples = parseMetrics(
      '# HELP a b\n# TYPE a counter\na{kind="x",code="q\\"}\\\\"} 2\na{kind="y"} 3\nb 0.5\nc +Inf\nbroken{ 1\n'
    )
    assert.deepStrictEqual(samples.get("a")?.[0], { labels: { kind: "x", code: 'q"}\\' }, value: 2 })
    assert.strictEqual(sumOf(samples, "a"), 5)
    assert.strictEqual(
      sumOf(samples, "a", ({ kind }) => kind === "y"),
      3
    )
    assert.strictEqual(sumOf(samples, "c"), Infinity)
    assert.isUndefined(sumOf(samples, "d"))
  })
})

describe("a failure of a command", () => {
  const of = (error: unknown) => failureOf(Cause.fail(error))
  const fields = { detail: "d" }

  // Columns: the error, what it means, whether it settles one whose outcome was unknown.
  const failures: ReadonlyArray<readonly [string, unknown, string, boolean]> = [
    ["a rule", new Problem.WalletClosed(fields), "nothing", true],
    ["none such", new Problem.WalletNotFound(fields), "nothing", true],
    ["a store away", new Problem.StoreUnavailable(fields), "nothing", false],
    ["too much", new Problem.MailboxFull(fields), "nothing", false],
    ["no key any more", new Problem.Unauthorized(fields), "nothing", false],
    ["a form that was right before", new Problem.InvalidRequest({ ...fields, errors: [] }), "nothing", false],
    ["undone", new Problem.TransferReversed(fields), "ended", true],
    ["undone by a rule of the user's", new Problem.OperationReversed(fields), "ended", true],
    ["not known", new Problem.OutcomeUnknown(fields), "unknown", false],
    ["a defect", new Problem.InternalError(fields), "unknown", false],
    ["on its way", new Problem.IdempotencyInProgress(fields), "unknown", false],
    ["no answer", new Cause.TimeoutError(), "unknown", false],
    ["an answer of somebody else", new Error("not JSON"), "unknown", false]
  ]
  it.each(failures)("by %s", (_, error, meaning, settles) => {
    const failure = of(error)
    assert.deepStrictEqual([failure.meaning, failure.settles], [meaning, settles])
  })

  it("says all that is wrong with a form, and which request it was", () => {
    const errors = [{ pointer: "/amount", detail: "a string" }]
    const failure = of(new Problem.InvalidRequest({ ...fields, errors, requestId: "r" }))
    assert.deepStrictEqual([failure.message, failure.details, failure.requestId], ["d", ["/amount: a string"], "r"])
  })

  it("that was broken off is not known either", () => {
    assert.strictEqual(failureOf(Cause.interrupt()).meaning, "unknown")
  })
})
