/**
 * Followers of the feed over bare sockets, in a process of its own: `node FeedWorker.ts '<options as JSON>'`
 * reads and throws away what comes for so long, and prints how much it was as one line of JSON.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Net from "node:net"
import { type FeedLoad, FeedLoadOptions, FeedLoadReport } from "./FeedLoad.ts"

const follow = ({ after, apiKey, feeds, host, millis, port }: FeedLoad) =>
  Effect.gen(function* () {
    const head = `GET /v1/feed?after=${after} HTTP/1.1\r\nhost: ${host}:${port}\r\nauthorization: Bearer ${apiKey}\r\n\r\n`
    const report = { opened: 0, ended: 0, bytes: 0 }
    const sockets = Array.from({ length: feeds }, () => {
      const socket = Net.connect({ host, port }, () => socket.write(head))
      socket.once("data", (chunk: Buffer) => {
        if (chunk.toString("latin1", 9, 12) === "200") report.opened++
      })
      socket.on("data", (chunk: Buffer) => {
        report.bytes += chunk.length
      })
      socket.on("error", () => socket.destroy())
      socket.on("close", () => {
        report.ended++
      })
      return socket
    })
    yield* Effect.sleep(millis)
    const { ...told } = report
    for (const socket of sockets) socket.destroy()
    return told
  })

NodeRuntime.runMain(
  Effect.gen(function* () {
    const options = yield* Schema.decodeUnknownEffect(Schema.fromJsonString(FeedLoadOptions))(process.argv[2] ?? "")
    const report = yield* follow(options)
    yield* Console.log(yield* Schema.encodeEffect(Schema.fromJsonString(FeedLoadReport))(report))
  })
)
