/** Requests that go straight to the owners of wallets, as answers name them. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import { OwnerRoutes, toOwners, walletNodeHeader } from "../../src/http/api/OwnerRoutes.ts"

const base = "https://wallets.test/base"
const node = "https://node-1.test"

type Answer = { readonly status?: number; readonly node?: string } | "lost" | "silent"

/** A client that notes where it was sent to, and answers as it is told. */
const recorded = (answer: (url: string) => Answer) => {
  const asked: Array<string> = []
  const client = HttpClient.makeWith<HttpClientError.HttpClientError, never, HttpClientError.HttpClientError, never>(
    Effect.flatMap((request) => {
      asked.push(request.url)
      const given = answer(request.url)
      if (given === "silent") return Effect.never
      if (given === "lost") {
        const reason = new HttpClientError.TransportError({ request, cause: new Error("broken") })
        return Effect.fail(new HttpClientError.HttpClientError({ reason }))
      }
      const headers = given.node === undefined ? {} : { [walletNodeHeader]: given.node }
      return Effect.succeed(
        HttpClientResponse.fromWeb(request, new Response("{}", { status: given.status ?? 200, headers }))
      )
    }),
    Effect.succeed
  )
  return { asked, client: toOwners(client, base) }
}

const get = (path: string) => HttpClientRequest.get(base + path)

const transfer = (body: object) =>
  HttpClientRequest.bodyText(HttpClientRequest.post(`${base}/v1/transfers`), JSON.stringify(body), "application/json")

describe("requests to owners", () => {
  it.effect("go to the node that an answer about the wallet has named, all others to the service", () =>
    Effect.gen(function* () {
      const { asked, client } = recorded(() => ({ node }))
      yield* client.execute(get("/v1/wallets/a"))
      yield* client.execute(get("/v1/wallets/a/holds?limit=2"))
      yield* client.execute(get("/v1/wallets/b"))
      yield* client.execute(get("/v1/wallets?ownerId=a"))
      yield* client.execute(transfer({ from: "a", to: "b", amount: "1" }))
      yield* client.execute(transfer({ legs: [{ from: "b", to: "a", amount: "1" }] }))
      yield* client.execute(get("/v1/transfers/a"))
      assert.deepStrictEqual(asked, [
        `${base}/v1/wallets/a`,
        `${node}/v1/wallets/a/holds?limit=2`,
        `${base}/v1/wallets/b`,
        `${base}/v1/wallets?ownerId=a`,
        `${node}/v1/transfers`,
        `${node}/v1/transfers`,
        `${base}/v1/transfers/a`
      ])
    })
  )

  it.effect("never take the key from https to http, nor to what is no plain address", () =>
    Effect.gen(function* () {
      for (const wrong of [
        "http://node-1.test",
        "node-1.test",
        "https://u:p@node-1.test",
        `${node}/?a=1`,
        `${node}?`,
        `${node}#`,
        `${node}/`
      ]) {
        const { asked, client } = recorded(() => ({ node: wrong }))
        yield* client.execute(get("/v1/wallets/a"))
        yield* client.execute(get("/v1/wallets/a"))
        assert.deepStrictEqual(asked, [`${base}/v1/wallets/a`, `${base}/v1/wallets/a`], wrong)
      }
    })
  )

  it.effect("go to the service at once when the node's connection fails, and forget all that was known of it", () =>
    Effect.gen(function* () {
      const broken = new Set<string>()
      const { asked, client } = recorded((url) => (broken.has(new URL(url).origin) ? "lost" : { node }))
      for (const id of ["a", "b"]) yield* client.execute(get(`/v1/wallets/${id}`))
      broken.add(node)
      asked.length = 0
      assert.strictEqual((yield* client.execute(get("/v1/wallets/a"))).status, 200)
      yield* client.execute(get("/v1/wallets/b"))
      assert.deepStrictEqual(asked, [`${node}/v1/wallets/a`, `${base}/v1/wallets/a`, `${base}/v1/wallets/b`])
    })
  )

  it.effect("fail when the service itself cannot be reached", () =>
    Effect.gen(function* () {
      const { asked, client } = recorded(() => "lost")
      assert.strictEqual((yield* Effect.flip(client.execute(get("/v1/wallets/a")))).reason._tag, "TransportError")
      assert.strictEqual(asked.length, 1)
    })
  )

  it("know https however its base is written, and where it is none take no http", () => {
    const taken = (own: string, named: string) => {
      const routes = new OwnerRoutes(own)
      routes.answered("a", 200, named)
      return routes.of("a") !== undefined
    }
    for (const own of ["HTTPS://wallets.test", "https://wallets.test", "", "/api"]) {
      assert.isFalse(taken(own, "http://node-1.test"), own)
      assert.isTrue(taken(own, node), own)
    }
    assert.isTrue(taken("HTTP://wallets.test", "http://node-1.test"))
  })

  it.effect("forget the owner of a wallet that answers 503, that is not waited for, or that is it no more", () =>
    Effect.gen(function* () {
      let answer: Answer = { node }
      const { asked, client } = recorded(() => answer)
      const last = (id: string) =>
        Effect.map(client.execute(get(`/v1/wallets/${id}`)), ({ status }) => [asked.at(-1), status])
      const [direct, around] = [`${node}/v1/wallets/a`, `${base}/v1/wallets/a`]
      yield* last("a")
      yield* last("b")
      answer = { status: 503, node }
      assert.deepStrictEqual(yield* last("a"), [direct, 503], "the answer is for the caller")
      assert.deepStrictEqual(yield* last("a"), [around, 503], "who is there is not learned from it")
      answer = { node }
      assert.deepStrictEqual(yield* last("a"), [around, 200])
      assert.deepStrictEqual(yield* last("b"), [`${node}/v1/wallets/b`, 200], "the others know their owner still")
      answer = "silent"
      const waiting = yield* Effect.forkChild(client.execute(get("/v1/wallets/a")), { startImmediately: true })
      yield* Fiber.interrupt(waiting)
      assert.strictEqual(asked.at(-1), direct)
      answer = { node }
      assert.deepStrictEqual(yield* last("a"), [around, 200])
      const other = "https://node-2.test"
      answer = { node: other }
      assert.deepStrictEqual(yield* last("a"), [direct, 200])
      assert.deepStrictEqual(yield* last("a"), [`${other}/v1/wallets/a`, 200])
      answer = {}
      yield* last("a")
      assert.deepStrictEqual(yield* last("a"), [around, 200], "nobody is named any more")
    })
  )

  it.effect("pass over a node that has failed for a while, though answers name it", () =>
    Effect.gen(function* () {
      const { asked, client } = recorded((url) => (url.startsWith(node) ? "lost" : { node }))
      const direct = () => asked.filter((url) => url.startsWith(node)).length
      for (let n = 0; n < 60; n++) yield* client.execute(get("/v1/wallets/a"))
      assert.strictEqual(direct(), 1)
      for (let n = 0; n < 60; n++) yield* client.execute(get("/v1/wallets/a"))
      assert.strictEqual(direct(), 2, "then it is tried again")
    })
  )

  it("keeps the latest wallets in mind and no more", () => {
    const routes = new OwnerRoutes("http://wallets.test", 2)
    for (const id of ["a", "b", "a", "c"]) routes.answered(id, 200, node)
    assert.deepStrictEqual(
      ["a", "b", "c"].map((id) => routes.of(id)),
      [node, undefined, node]
    )
  })
})
