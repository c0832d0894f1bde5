import { assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Ref from "effect/Ref"
import { readFileSync } from "node:fs"
import * as Http from "node:http"
import type * as Net from "node:net"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import * as Server from "../http/TestServer.ts"
import { migratedDataDir } from "../support/embedded.ts"
import { type Finished, runWallet, startService, temporaryFolder } from "./WalletProcess.ts"
import type { LoadDocument } from "../../src/load/LoadPage.ts"

const { TestServer } = Server

const key = "a-key-of-these-tests-0123456789"

const service = Effect.gen(function* () {
  const folder = yield* migratedDataDir
  const environment = { WALLET_DATA_DIR: folder, WALLET_API_KEY: key }
  return { folder, environment, ...(yield* startService(environment)) }
})

/** The document alone. */
const reportIn = (stdout: string): LoadDocument => JSON.parse(stdout)

/** Completes when the service has so many events more than now. */
const sentSoFar = (url: string, more: number) =>
  Effect.gen(function* () {
    const count = Effect.promise(async () => {
      const metrics = await (await fetch(`${url}/metrics`)).text()
      const lines = [...metrics.matchAll(/^wallet_commands_total\{[^}]*\} ([0-9.e+]+)$/gm)]
      return lines.reduce((sum, [, value]) => sum + Number(value), 0)
    })
    const before = yield* count
    yield* Effect.repeat(Effect.delay(count, 100), { until: (now) => now >= before + more })
  })

/** A service in front of another one that says of one credit in so many that it was done, and forgets it. */
const losing = (target: string, every: number) =>
  Effect.acquireRelease(
    Effect.callback<{ readonly url: string; readonly server: Http.Server; readonly lost: () => number }>((resume) => {
      const agent = new Http.Agent({ keepAlive: true })
      let seen = 0
      let lost = 0
      let last: Buffer | undefined
      const send = (answer: Http.ServerResponse, status: number, body: Buffer, headers: Http.OutgoingHttpHeaders) =>
        answer.writeHead(status, { ...headers, "content-length": body.length }).end(body)
      const server = Http.createServer((incoming, answer) => {
        const isCredit =
          (incoming.url ?? "").includes("/credit") && !String(incoming.headers["idempotency-key"]).startsWith("open-")
        if (isCredit && ++seen % every === 0 && last !== undefined) {
          lost++
          incoming.resume()
          return void send(answer, 201, last, { "content-type": "application/json" })
        }
        const { connection: _, ...headers } = incoming.headers
        const request = Http.request(new URL(incoming.url ?? "/", target), { method: incoming.method, headers, agent })
        request.on("response", (response) => {
          const chunks: Array<Buffer> = []
          response.on("data", (chunk: Buffer) => chunks.push(chunk))
          response.on("end", () => {
            const body = Buffer.concat(chunks)
            if (isCredit && response.statusCode === 201) last = body
            const { connection: _, "keep-alive": __, "transfer-encoding": ___, ...kept } = response.headers
            send(answer, response.statusCode ?? 502, body, kept)
          })
        })
        request.on("error", () => answer.destroy())
        text(incoming).then(
          (body) => request.end(body),
          () => request.destroy()
        )
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as Net.AddressInfo
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, server, lost: () => lost }))
      })
    }),
    ({ server }) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )

describe("wallet load", () => {
  it.live("shows that a service stood still: the longest latency is as long, and all is done and found", () =>
    Effect.gen(function* () {
      const { environment, folder, kill, url } = yield* service
      const args = [
        "load",
        "--url",
        url,
        "--rate",
        "100",
        "--seconds",
        "12",
        "--warmup",
        "0",
        "--wallets",
        "20",
        "--mix",
        "credit=1",
        "--json"
      ]
      const page = join(folder, "load.html")
      const bounds = ["--threshold", "p99<1s,goodput>1", "--report", page]
      const load = yield* Effect.forkChild(runWallet([...args, ...bounds], environment))
      // The wallets are made, and a second of the load has gone by.
      yield* sentSoFar(url, 40 + 100)
      const stop = Effect.gen(function* () {
        const stopped = yield* Ref.make(0)
        yield* kill("SIGSTOP")
        yield* Ref.set(stopped, performance.now())
        yield* Effect.sleep("3 seconds")
        const millis = performance.now() - (yield* Ref.get(stopped))
        yield* kill("SIGCONT")
        return millis
      })
      const millis = yield* stop
      const { code, stderr, stdout } = yield* Fiber.join(load)
      // The check is ok, and a threshold was missed.
      assert.strictEqual(code, 3, stderr)
      const report = reportIn(stdout)
      assert.deepStrictEqual(
        report.thresholds.map(({ ok }) => ok),
        [false, true]
      )
      assert.include(report.environment["driven"] ?? "", url)
      assert.include(readFileSync(page, "utf8"), "The check is ok.")
      assert.strictEqual(report.loop, "open")
      assert.strictEqual(report.offered, 1_200)
      assert.strictEqual(report.accepted, 1_200)
      assert.deepStrictEqual([report.missed, report.unknown], [0, 0])
      // What was due right after the stop waited for all of it; a request of that instant may have been answered.
      assert.isAtLeast(report.latency.all.max, millis - 200)
      // Of twelve seconds a quarter stood still: a twelfth of all has waited for two thirds of it.
      assert.isAtLeast(report.latency.all.p99, millis * 0.8)
      assert.isTrue(report.check.ok)
      // Progress is told beside the document.
      assert.match(stderr, /load: [\d,]+\/s, p99 [\d.]+ ms, \d+ errors/)
    })
  )

  it.live("of several threads sends what one would, and is checked as one", () =>
    Effect.gen(function* () {
      const { environment } = yield* service
      const args = ["load", "--wallets", "5", "--seconds", "2", "--warmup", "0", "--seed", "many", "--json"]
      const open = ["--rate", "100", "--arrivals", "poisson", "--mix", "credit=4,transfer=2,order=1,read=1"]
      const [one, three] = yield* Effect.forEach(["1", "3"], (threads) =>
        Effect.map(
          runWallet([...args, ...open, "--threads", threads, "--run", `t${threads}`], environment),
          (ended) => {
            assert.strictEqual(ended.code, 0, ended.stderr)
            return reportIn(ended.stdout)
          }
        )
      )
      assert.isAbove(three!.offered, 100)
      assert.deepStrictEqual([three!.offered, three!.sent, three!.accepted], [one!.offered, one!.sent, one!.accepted])
      for (const kind of ["credit", "transfer", "order", "read"] as const) {
        assert.strictEqual(three!.latency[kind]?.count, one!.latency[kind]?.count, kind)
      }
      assert.deepStrictEqual(
        three!.hottest.map(({ accepted }) => accepted),
        one!.hottest.map(({ accepted }) => accepted)
      )
      assert.isTrue(three!.check.ok)
      if (three!.check.ok !== null && one!.check.ok !== null) {
        assert.deepStrictEqual(three!.check.commands, one!.check.commands)
        assert.isAbove(three!.check.keys.same, 50)
      }
      const closed = yield* runWallet(
        [...args, "--callers", "5", "--threads", "2", "--batch", "10", "--mix", "credit=1", "--run", "c"],
        environment
      )
      assert.strictEqual(closed.code, 0, closed.stderr)
      assert.isAbove(reportIn(closed.stdout).accepted, 0)
      const wrong = yield* runWallet([...args, "--callers", "2", "--threads", "3"], environment)
      assert.deepStrictEqual([wrong.code, wrong.stderr.includes("--threads")], [2, true])
    })
  )

  it.live("says what is wrong with its flags, and that nobody is there to drive", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const environment = { WALLET_DATA_DIR: folder }
      const mix = yield* runWallet(["load", "--library", "--mix", "gift=1"], environment)
      assert.strictEqual(mix.code, 2)
      assert.match(mix.stderr, /--mix: "gift=1" is not like/)
      const batch = yield* runWallet(["load", "--library", "--batch", "10"], environment)
      assert.strictEqual(batch.code, 2)
      assert.match(batch.stderr, /--batch: a hold is not one command/)
      const absent = yield* runWallet(["load"], environment)
      assert.strictEqual(absent.code, 1)
      assert.match(absent.stderr, /no running service/)
    })
  )
})

layer(Server.layer(), { excludeTestServices: true })("wallet load, on a service in memory", (it) => {
  it.effect("exits with 2 when the service has lost one command of ten thousand", () =>
    Effect.gen(function* () {
      const { secrets, url } = yield* TestServer
      const proxy = yield* losing(url, 10_000)
      const run = (seconds: number): Effect.Effect<Finished> => {
        const args = ["load", "--url", proxy.url, "--seconds", String(seconds), "--warmup", "0", "--wallets", "50"]
        const load = runWallet([...args, "--mix", "credit=1", "--json"], { WALLET_API_KEY: secrets.admin })
        // However slow the machine: until ten thousand credits were sent.
        return Effect.flatMap(load, (finished) =>
          proxy.lost() === 0 && finished.code === 0 ? run(seconds * 2) : Effect.succeed(finished)
        )
      }
      const { code, stderr, stdout } = yield* run(20)
      assert.strictEqual(code, 2, stderr)
      const { check } = reportIn(stdout)
      assert.isFalse(check.ok)
      if (check.ok === null) return
      // One that is drawn to be sent again is done then, and its key is known to have been lost.
      assert.strictEqual(check.commands.lost + check.keys.lost, proxy.lost())
    })
  )
})
