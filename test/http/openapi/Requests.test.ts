/**
 * Requests that the OpenAPI document allows, sent to a real service: none is malformed to it, each answer is one that
 * the document tells of, with all that is in it, and the examples do what they are examples of.
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import * as Server from "../TestServer.ts"
import { nowhere, type Request, requestOf } from "./arbitraries.ts"
import { document, exampleOf, faultOf, type Operation, operations } from "./OpenApiJson.ts"

const { TestServer } = Server

interface Given {
  readonly url: string
  readonly secret: string
}

interface Got {
  readonly status: number
  readonly contentType: string
  readonly text: string
}

/** Of an endless answer the head alone is read. */
const send = async ({ secret, url }: Given, { method }: Operation, request: Request): Promise<Got> => {
  const { body } = request
  const aborted = new AbortController()
  const response = await fetch(url + request.path + request.query, {
    method: method.toUpperCase(),
    headers: {
      authorization: `Bearer ${secret}`,
      ...request.headers,
      ...(body === undefined ? {} : { "content-type": "application/json" })
    },
    signal: aborted.signal,
    ...(body === undefined ? {} : { body: JSON.stringify(body) })
  })
  const contentType = (response.headers.get("content-type") ?? "").split(";")[0]!
  if (contentType === "text/event-stream") {
    aborted.abort()
    return { status: response.status, contentType, text: "" }
  }
  return { status: response.status, contentType, text: await response.text() }
}

const documentedType = (contentType: string, content: Readonly<Record<string, unknown>>): string | undefined =>
  Object.keys(content).find((type) => type.split(";")[0] === contentType)

/** Why the answer is not one that the document tells of. */
const undocumented = ({ responses }: Operation, { contentType, status, text }: Got): string | undefined => {
  const answer = responses[String(status)]
  if (answer === undefined) return `${status} is not documented`
  if (answer.content === undefined) return text === "" ? undefined : `${status} has a body`
  const type = documentedType(contentType, answer.content)
  if (type === undefined) return `${status}: ${contentType} is not documented`
  return contentType.endsWith("json") ? faultOf(answer.content[type]!.schema, JSON.parse(text)) : undefined
}

type Ids = readonly [source: string, destination: string, other: string]

/** Wallets, those that are not there yet, with a hold, a debit and a transfer of the first; and what else the path is about. */
const prepared = Effect.fnUntraced(function* (path: string, [source, destination, other]: Ids) {
  const { call, secrets, url } = yield* TestServer
  const post = (path: string, body: unknown) => call("POST", path, { key: crypto.randomUUID(), body })
  for (const id of [source, destination, other]) yield* post("/v1/wallets", { id, ownerId: id, currency: "EUR" })
  yield* post(`/v1/wallets/${source}/unfreeze`, {})
  yield* post(`/v1/wallets/${source}/credit`, { amount: "100000" })
  const hold = yield* post(`/v1/wallets/${source}/holds`, { amount: "300" })
  const debit = yield* post(`/v1/wallets/${source}/debit`, { amount: "500" })
  const transfer = yield* post("/v1/transfers", { from: source, to: destination, amount: "400" })
  const ids: Readonly<Record<string, string>> = {
    transactions: debit.json.transaction.id,
    transfers: transfer.json.transfer.id
  }
  const kind = path.split("/")[2]!
  if (path === "/v1/keys/{id}/roll") {
    const key = yield* post("/v1/keys", { name: "rolled", scopes: ["wallets:read"] })
    return { given: { url, secret: secrets.admin }, id: String(key.json.id), holdId: hold.json.hold.id as string }
  }
  const id =
    kind === "webhooks" ? String((yield* post("/v1/webhooks", { url: nowhere })).json.id) : (ids[kind] ?? source)
  return { given: { url, secret: secrets.admin }, id, holdId: hold.json.hold.id as string }
})

/** Whatever requests that were drawn have made of others. */
const newIds = (): Ids => [crypto.randomUUID(), crypto.randomUUID(), crypto.randomUUID()]

/** The service's own batches answer a malformed command in its place. */
const malformedIn = (text: string): ReadonlyArray<string> => {
  const results = (JSON.parse(text) as { results?: ReadonlyArray<{ status: number; body: { detail: string } }> })
    .results
  return (results ?? []).filter(({ status }) => status === 400).map(({ body }) => body.detail)
}

/** What no schema can say: between the members of a command, and of what a transfer is made of. */
const unsayable = [
  /of which the first is from walletId/,
  /leg: the transfer has \d+, counted from 0/,
  /restriction: a key with the scope admin cannot have one/,
  /expiresAt: not in the future/,
  /from: the endpoint is at \d+, and nothing is skipped/
]

const isUnsayable = (text: string): boolean => unsayable.some((detail) => detail.test(text))

const numRuns = 40

layer(Server.layer({}, { allowPrivate: true }), { excludeTestServices: true })(
  "requests that the OpenAPI document allows",
  (it) => {
    for (const operation of operations) {
      it.effect(`are well-formed to ${operation.operationId}, and answered as documented`, () =>
        Effect.gen(function* () {
          const { given, holdId, id } = yield* prepared(operation.path, newIds())
          const known = { id, holdId }
          const property = fc.asyncProperty(requestOf(operation, known), async (request) => {
            const got = await send(given, operation, request)
            if (got.status === 400) assert.isTrue(isUnsayable(got.text), got.text)
            assert.strictEqual(undocumented(operation, got), undefined, got.text)
            if (operation.operationId === "runBatch" && got.status === 200) {
              assert.deepStrictEqual(
                malformedIn(got.text).filter((detail) => !isUnsayable(detail)),
                []
              )
            }
          })
          yield* Effect.promise(() => fc.assert(property, { numRuns }))
        })
      )
    }
  }
)

const placed = (operation: Operation, ids: Readonly<Record<string, string>>): Omit<Request, "body"> => {
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name: string) => ids[name]!)
  const isCommand = operation.parameters.some(({ name }) => name === "Idempotency-Key")
  return { path, query: "", headers: isCommand ? { "Idempotency-Key": crypto.randomUUID() } : {} }
}

/** Keys of a batch's commands count for ever; wallets without an id get one of the key. */
const afresh = (body: unknown): unknown =>
  JSON.parse(JSON.stringify(body), (name, value: unknown) =>
    name === "idempotencyKey" || (name === "id" && value === "alice") ? crypto.randomUUID() : value
  )

layer(Server.layer({}, { allowPrivate: true }), { excludeTestServices: true })(
  "the examples of the OpenAPI document",
  (it) => {
    for (const operation of operations) {
      const { examples = {} } = operation.requestBody?.content["application/json"] ?? {}
      for (const [name, example] of Object.entries(examples)) {
        it.effect(`are taken by ${operation.operationId}: ${name}`, () =>
          Effect.gen(function* () {
            const { given, holdId, id: known } = yield* prepared(operation.path, ["alice", "bob", "carol"])
            const { wallet } = yield* TestServer
            const id = operation.operationId === "closeWallet" ? yield* wallet() : known
            const request = { ...placed(operation, { id, holdId }), body: afresh(exampleOf(example)) }
            const got = yield* Effect.promise(() => send(given, operation, request))
            assert.match(String(got.status), /^20[01]$/, got.text)
            assert.strictEqual(undocumented(operation, got), undefined, got.text)
            if (operation.operationId === "runBatch") {
              const { results } = JSON.parse(got.text) as { results: ReadonlyArray<{ status: number }> }
              assert.isTrue(
                results.every(({ status }) => status === 201),
                got.text
              )
            }
          })
        )
      }
    }

    it.effect("are asked for where the document says so, and nowhere else", () =>
      Effect.gen(function* () {
        const asks = "a JSON body is required"
        for (const operation of operations) {
          if (operation.requestBody === undefined) continue
          const { given, holdId, id } = yield* prepared(operation.path, newIds())
          const request = { ...placed(operation, { id, holdId }), body: undefined }
          const got = yield* Effect.promise(() => send(given, operation, request))
          assert.strictEqual(got.text.includes(asks), operation.requestBody.required, operation.operationId)
        }
      })
    )

    it.effect("may be as long as they are allowed to be: a hundred legs, each with twenty pairs", () =>
      Effect.gen(function* () {
        yield* prepared("/v1/transfers", ["alice", "bob", "carol"])
        const { call } = yield* TestServer
        const metadata = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`name-${index}`, "value"]))
        const legs = Array.from({ length: 100 }, () => ({ from: "alice", to: "bob", amount: "1", metadata }))
        const got = yield* call("POST", "/v1/transfers", { key: "long", body: { legs } })
        assert.strictEqual(got.status, 201, got.text)
      })
    )

    it.effect("of a shortage is what a debit beyond the balance gets", () =>
      Effect.gen(function* () {
        const { call, wallet } = yield* TestServer
        const id = yield* wallet()
        const got = yield* call("POST", `/v1/wallets/${id}/debit`, { key: "over", body: { amount: "2000" } })
        const example = document.components.examples["InsufficientFunds"]!.value as Record<string, unknown>
        assert.deepStrictEqual(
          Object.keys(got.json)
            .filter((name) => name !== "requestId")
            .toSorted(),
          Object.keys(example).toSorted()
        )
        assert.strictEqual(got.json.type, example["type"])
        assert.strictEqual(got.json.shortage, "2000")
      })
    )
  }
)
