import { assert, it } from "@effect/vitest"
import * as fc from "fast-check"
import { amountOrder, amountParts, sumOfParts } from "../../../src/stores/elastic/Amounts.ts"
import { decodeDocument, encodeDocument } from "../../../src/stores/elastic/Documents.ts"
import { mappings } from "../../../src/stores/elastic/Mapping.ts"
import { singleLeg, withTransactions } from "../../../src/domain/Transfer.ts"
import type { SearchDocument } from "../../../src/stores/SearchIndex.ts"

const bound = 10n ** 36n - 1n
const amounts = fc.oneof(
  fc.bigInt({ min: -bound, max: bound }),
  fc.bigInt({ min: -1_000_001n, max: 1_000_001n }),
  fc.constantFrom(-bound, bound, 0n, -1n, 1n, 10n ** 6n, -(10n ** 6n), 2n ** 53n, 2n ** 63n)
)

const sign = (value: number | bigint): number => (value < 0 ? -1 : value > 0 ? 1 : 0)

it("amounts sort as their texts do", () => {
  const law = fc.property(amounts, amounts, (a, b) => {
    const [one, other] = [amountOrder(a), amountOrder(b)]
    assert.strictEqual(one.length, 41)
    assert.strictEqual(Buffer.compare(Buffer.from(one), Buffer.from(other)), sign(a - b))
  })
  fc.assert(law)
})

it("an amount that is asked for beyond all there are stands beyond them all", () => {
  const beyond = 10n ** 60n
  assert.isTrue(amountOrder(beyond) > amountOrder(bound))
  assert.isTrue(amountOrder(-beyond) < amountOrder(-bound))
  assert.strictEqual(amountOrder(beyond).length, 41)
})

it("the sum of amounts is the sum of their parts, each summed as a floating-point number", () => {
  const law = fc.property(fc.array(amounts), (all) => {
    const sums = [0, 0, 0, 0, 0, 0]
    for (const amount of all) {
      const parts = JSON.parse(amountParts(amount)) as Readonly<Record<string, number>>
      for (const [part, value] of Object.entries(parts)) sums[Number(part.slice(1))]! += value
    }
    assert.strictEqual(
      sumOfParts(sums),
      all.reduce((sum, amount) => sum + amount, 0n)
    )
  })
  fc.assert(law)
})

const documents: ReadonlyArray<SearchDocument> = [
  {
    kind: "wallet",
    version: 3,
    position: 2n ** 62n + 1n,
    wallet: {
      id: "Wallet_1",
      ownerId: "Own-1",
      currency: "EUR",
      balance: -bound,
      held: bound,
      overdraftLimit: 10n ** 30n - 1n,
      status: "frozen",
      freeze: { direction: "all", reason: "why", until: 1_767_225_600_000 },
      version: 3,
      metadata: JSON.parse(`{"": "\\ufeff", "a.b": "🐎", "__proto__": "İ"}`),
      createdAt: 0,
      updatedAt: 253_402_300_799_999
    }
  },
  {
    kind: "transaction",
    version: 7,
    position: 8n,
    ownerId: "Own-1",
    key: "key 1",
    leg: 3,
    transaction: {
      id: "0190e1f0-0000-7000-8000-000000000000",
      walletId: "Wallet_1",
      type: "capture",
      amount: 10n ** 30n - 1n,
      balanceAfter: -1n,
      currency: "EUR",
      reference: "Café INV-7\u2028",
      metadata: {},
      holdId: "hold",
      transferId: null,
      version: 7,
      createdAt: 1,
      effectiveAt: 0
    }
  },
  {
    kind: "transfer",
    version: 4,
    position: 9n,
    ownerIds: ["Own-1", "own-2"],
    key: null,
    transfer: {
      id: "T",
      from: "Wallet_1",
      to: "w2",
      amount: 1n,
      currency: "EUR",
      legs: singleLeg({
        from: "Wallet_1",
        to: "w2",
        amount: 1n,
        currency: "EUR",
        reference: "",
        metadata: { k: "v" }
      }),
      status: "reversed",
      reason: "x".repeat(40_000),
      leg: null,
      reference: "",
      metadata: { k: "v" },
      createdAt: 1,
      effectiveAt: 1,
      updatedAt: 2
    }
  },
  {
    kind: "transfer",
    version: 4,
    position: 10n,
    ownerIds: ["Own-1", "own-2", "own-3"],
    key: "k",
    transfer: {
      id: "T2",
      from: null,
      to: null,
      amount: null,
      currency: null,
      legs: [
        withTransactions(
          { from: "Wallet_1", to: "w2", amount: 1n, currency: "EUR", reference: "Café", metadata: {} },
          { sent: "s0", received: "r0" }
        ),
        withTransactions(
          {
            from: "w3",
            to: "Wallet_1",
            amount: 10n ** 30n - 1n,
            currency: "USD",
            reference: null,
            metadata: { k: "v" }
          },
          { sent: "s1", received: "r1" }
        )
      ],
      status: "completed",
      reason: null,
      leg: null,
      reference: "INV-8",
      metadata: {},
      createdAt: 1,
      effectiveAt: 2,
      updatedAt: 2
    }
  },
  {
    kind: "hold",
    version: 5,
    ownerId: "Own-1",
    currency: "EUR",
    hold: {
      id: "H",
      walletId: "Wallet_1",
      amount: 5n,
      captured: 1n,
      remaining: 4n,
      status: "active",
      expiresAt: null,
      reference: null,
      metadata: {},
      createdAt: 1
    }
  }
]

/** What Elasticsearch keeps of a document: all but what the mapping leaves out. */
const kept = (kind: SearchDocument["kind"], line: string): object => {
  const { _source } = mappings[kind] as { readonly _source: { readonly excludes: ReadonlyArray<string> } }
  const fields = Object.entries(JSON.parse(line) as object).filter(([name]) => !_source.excludes.includes(name))
  return Object.fromEntries(fields)
}

for (const document of documents) {
  const { kind } = document
  const line = encodeDocument(document)

  it(`the document of a ${kind} comes back as it was, from what is kept of one line`, () => {
    assert.notInclude(line, "\n")
    assert.deepStrictEqual(decodeDocument(kind, kept(kind, line)), document)
  })

  it(`every field of the document of a ${kind} is in its mapping`, () => {
    const { properties } = mappings[kind] as { readonly properties: object }
    for (const name of Object.keys(JSON.parse(line) as object)) assert.property(properties, name)
  })

  it(`what is not the document of a ${kind} is not taken for one`, () => {
    const fields = kept(kind, line)
    for (const damaged of [undefined, null, [], {}, { ...fields, id: 1 }, { ...fields, more: "" }]) {
      assert.throws(() => decodeDocument(kind, damaged), `a document of a ${kind} cannot be read: `)
    }
  })
}

it("a transaction is found by the words of what it says, and by its ids as wholes in any case", () => {
  const { words } = JSON.parse(encodeDocument(documents[1]!)) as { readonly words: ReadonlyArray<string> }
  assert.deepStrictEqual(words, [
    "café",
    "inv-7",
    "inv",
    "7",
    "0190e1f0-0000-7000-8000-000000000000",
    "wallet_1",
    "own-1"
  ])
})

it("a wallet whose ids have no letter and no digit is found by no word", () => {
  const [document] = documents
  assert(document?.kind === "wallet")
  const wallet = { ...document.wallet, id: "-", ownerId: "__", metadata: {} }
  const { words } = JSON.parse(encodeDocument({ ...document, wallet })) as { readonly words: ReadonlyArray<string> }
  assert.deepStrictEqual(words, [])
})
