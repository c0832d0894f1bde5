/** What linters ask of the document, what generators of clients need, and that its schemas say what is written. */
import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import { publicData } from "../../../src/domain/PublicEvent.ts"
import { isProblemCode, problemBody, problemStatus } from "../../../src/http/api/Problem.ts"
import { goldenEvents } from "../../domain/GoldenEvents.ts"
import { everyMember } from "../everyMember.ts"
import { document, exampleOf, faultOf, type Media, nodesOf, operations, referred, schemaOf } from "./OpenApiJson.ts"

const { schemas } = document.components

/** Of cases that a member tells apart. */
const Union = Schema.Struct({
  discriminator: Schema.Struct({
    propertyName: Schema.String,
    mapping: Schema.Record(Schema.String, Schema.String)
  }),
  oneOf: Schema.Array(Schema.Struct({ $ref: Schema.String }))
})

const unionOf = (name: string) => Schema.decodeUnknownSync(Union)(schemas[name])

const refsOf = (node: unknown): ReadonlyArray<string> =>
  nodesOf(node).flatMap(([, { $ref }]) => (typeof $ref === "string" ? [$ref] : []))

const isPlaced = (operation: (typeof operations)[number], status: string): boolean => status in operation.responses

const mediaOf = (operation: (typeof operations)[number]): ReadonlyArray<readonly [string, Media]> => [
  ...Object.entries(operation.requestBody?.content ?? {}).map(([type, media]) => [`request ${type}`, media] as const),
  ...Object.entries(operation.responses).flatMap(([status, { content = {} }]) =>
    Object.entries(content).map(([type, media]) => [`${status} ${type}`, media] as const)
  )
]

describe("the OpenAPI document", () => {
  it("says whose it is, and where the service is", () => {
    assert.strictEqual(document.openapi, "3.1.0")
    assert.isAtLeast(document.servers.length, 1)
    for (const { url } of document.servers) assert.notMatch(url, /localhost|example\.|.\/$/)
    assert.hasAllKeys(document.info, ["title", "version", "description", "license", "contact"])
    for (const { description, name } of document.tags) assert.isString(description, name)
  })

  it("names each operation once, as a client calls it, and tells what it does", () => {
    const ids = operations.map(({ operationId }) => operationId)
    assert.deepStrictEqual([...new Set(ids)], ids)
    const tags = document.tags.map(({ name }) => name)
    for (const { description, operationId, parameters, summary, tags: own } of operations) {
      assert.match(operationId, /^[a-z]+(?:[A-Z][a-z]+)*$/)
      assert.isNotEmpty(summary, operationId)
      assert.isNotEmpty(description, operationId)
      assert.includeMembers(tags, [...own], operationId)
      for (const { description: meaning, name, schema } of parameters) {
        assert.isNotEmpty(meaning, `${operationId} ${name}`)
        assert.isNotEmpty(schema, `${operationId} ${name}`)
      }
    }
  })

  it("refers to what there is, and has nothing that is not referred to", () => {
    const refs = new Set(refsOf(document))
    for (const ref of refs) assert.isDefined(referred(ref), ref)
    for (const kind of ["schemas", "headers", "examples"] as const) {
      const unused = Object.keys(document.components[kind]).filter((name) => !refs.has(`#/components/${kind}/${name}`))
      assert.deepStrictEqual(unused, [], kind)
    }
  })

  it("has examples of every body and every answer, such as their schemas allow", () => {
    for (const operation of operations) {
      for (const [name, { examples: given = {}, schema }] of mediaOf(operation)) {
        const place = `${operation.operationId} ${name}`
        assert.isNotEmpty(given, place)
        for (const [label, example] of Object.entries(given)) {
          assert.strictEqual(faultOf(schema, exampleOf(example)), undefined, `${place} ${label}`)
        }
      }
      for (const { example, name, schema } of operation.parameters) {
        if (example !== undefined)
          assert.strictEqual(faultOf(schema, example), undefined, `${operation.operationId} ${name}`)
      }
    }
  })

  it("has one name for one thing", () => {
    const shapes = new Map<string, string>()
    for (const [name, { description: _, "x-enum-varnames": __, ...shape }] of Object.entries(schemas)) {
      const same = shapes.get(JSON.stringify(shape))
      // Different events may say the same.
      if (!name.endsWith("Data")) assert.isUndefined(same, `${name} is ${same}`)
      shapes.set(JSON.stringify(shape), name)
    }
  })

  it("tells numbers, and the numbers of parameters, with their ranges", () => {
    const isNumber = (type: unknown) => type === "integer" || type === "number"
    for (const [path, node] of nodesOf({ schemas, paths: document.paths })) {
      if (!isNumber(node["type"]) || path.includes("/examples/")) continue
      assert.strictEqual(node["type"], "integer", path)
      assert.isNumber(node["minimum"], path)
      assert.match(String(node["format"]), /^int(?:32|64)$/, path)
    }
    for (const { operationId, parameters } of operations) {
      for (const { name, schema } of parameters) {
        if (/^(?:limit|minVersion|atVersion|after|Last-Event-ID)$/.test(name)) {
          assert.strictEqual(schema["type"], "integer", `${operationId} ${name}`)
        }
        if (name === "limit") assert.deepInclude(schema, { minimum: 1, maximum: 200, default: 50 })
      }
    }
  })

  it("documents methods and bodies that are not taken, and the headers of answers", () => {
    for (const operation of operations) {
      const { operationId, requestBody, responses } = operation
      assert.isTrue(isPlaced(operation, "405"), operationId)
      if (requestBody !== undefined) assert.isTrue(isPlaced(operation, "415"), operationId)
      for (const [status, { content = {}, headers = {} }] of Object.entries(responses)) {
        const place = `${operationId} ${status}`
        assert.property(headers, "X-Request-Id", place)
        if (/^(?:409|429|503)$/.test(status) && content["application/problem+json"])
          assert.property(headers, "Retry-After", place)
        if (status === "405") assert.property(headers, "Allow", place)
        if (Number(status) < 400 || status === "503") continue
        assert.deepStrictEqual(content["application/problem+json"]?.schema, schemaOf("Problem"), place)
      }
      const isCommand = operation.parameters.some(
        ({ name, required }) => name === "Idempotency-Key" && required === true
      )
      if (isCommand) assert.property(responses["202"]?.headers, "Idempotency-Replayed", operationId)
    }
    assert.property(document.paths["/v1/wallets/{id}"]?.["get"]?.responses["200"]?.headers, "ETag")
  })

  it("has one schema of problems, which takes each for what its code says", () => {
    const { discriminator, oneOf } = unionOf("Problem")
    assert.strictEqual(discriminator.propertyName, "code")
    assert.sameMembers(Object.keys(discriminator.mapping), Object.keys(problemStatus))
    for (const code of Object.keys(problemStatus).filter(isProblemCode)) {
      const written = JSON.parse(problemBody(code, "a detail", everyMember))
      const fitting = oneOf.map(({ $ref }) => $ref).filter(($ref) => faultOf({ $ref }, written) === undefined)
      assert.deepStrictEqual(fitting, [discriminator.mapping[code]!], code)
      assert.strictEqual(faultOf(schemaOf("Problem"), written), undefined, code)
      for (const name of ["type", "title", "status", "code", "detail"]) {
        const { [name]: _, ...less } = written
        assert.isDefined(faultOf(schemaOf("Problem"), less), `${code} without ${name}`)
      }
    }
  })

  it("has a schema of every event, which its public form fits", () => {
    for (const [name, event] of Object.entries(goldenEvents)) {
      const shown = { version: 0, type: event._tag, time: "2026-01-31T12:00:00.000Z", data: publicData(event) }
      assert.strictEqual(faultOf(schemaOf("Event"), JSON.parse(JSON.stringify(shown))), undefined, name)
    }
  })

  it("knows every command of a batch by its type, and asks each for its key", () => {
    const { discriminator, oneOf } = unionOf("BatchCommand")
    assert.sameMembers(
      oneOf.map(({ $ref }) => $ref),
      Object.values(discriminator.mapping)
    )
    for (const [type, ref] of Object.entries(discriminator.mapping)) {
      const { properties, required } = referred(ref) as {
        readonly properties: Record<string, unknown>
        required: Array<string>
      }
      assert.deepStrictEqual(properties["type"], { type: "string", const: type })
      assert.includeMembers(required, ["type", "walletId", "idempotencyKey"], type)
    }
  })

  const bodies: ReadonlyArray<readonly [string, string, unknown, boolean]> = [
    ["a transfer", "SendTransfer", { from: "a", to: "b", amount: "1" }, true],
    [
      "a transfer of legs",
      "SendTransfer",
      {
        legs: [
          { from: "a", to: "b", amount: "1" },
          { from: "b", to: "a", amount: "1" }
        ]
      },
      true
    ],
    ["a transfer without its amount", "SendTransfer", { from: "a", to: "b" }, false],
    ["a transfer of nothing", "SendTransfer", {}, false],
    ["a transfer of one leg", "SendTransfer", { legs: [{ from: "a", to: "b", amount: "1" }] }, false],
    ["a change of nothing", "UpdateWallet", {}, false],
    ["a change of nothing of a hold", "ChangeHold", {}, false],
    ["a field that is not known", "Movement", { amount: "1", amout: "1" }, false],
    ["a reference with U+0000", "Movement", { amount: "1", reference: "a\u0000b" }, false],
    ["a reference of several lines", "Movement", { amount: "1", reference: "a\nb\u{1f600}" }, true],
    ["a reference that is too long", "Movement", { amount: "1", reference: "a".repeat(256) }, false],
    ["metadata with U+0000", "Movement", { amount: "1", metadata: { a: "\u0000" } }, false],
    ["metadata with a long name", "Movement", { amount: "1", metadata: { ["a".repeat(65)]: "" } }, false],
    ["a time before 1970", "Movement", { amount: "1", effectiveAt: "1969-12-31T23:59:59Z" }, false],
    ["a time with an offset", "Movement", { amount: "1", effectiveAt: "2026-01-31T12:00:00.123456789+02:00" }, true],
    [
      "a time that its offset takes out of range",
      "Movement",
      { amount: "1", effectiveAt: "1970-01-01T00:00:00+01:00" },
      false
    ],
    ["a date", "Movement", { amount: "1", effectiveAt: "2026-01-31" }, false],
    ["an amount of nothing", "Movement", { amount: "0" }, false],
    ["a batch without a key", "Batch", { commands: [{ type: "credit", walletId: "a", amount: "1" }] }, false],
    ["a refund of two things", "BatchCommand", refund({ transactionId: "a", transferId: "b" }), false],
    ["a refund of a leg of a transaction", "BatchCommand", refund({ transactionId: "a", leg: 0 }), false],
    ["a refund of a leg", "BatchCommand", refund({ transferId: "a", leg: 0 }), true],
    ["a refund of nothing", "BatchCommand", refund({}), false]
  ]
  for (const [name, schema, value, isTaken] of bodies) {
    it(`${isTaken ? "takes" : "does not take"} ${name}`, () => {
      assert.strictEqual(faultOf(schemaOf(schema), value) === undefined, isTaken)
    })
  }
})

function refund(of: object) {
  return { type: "refund", walletId: "a", idempotencyKey: "k", ...of }
}
