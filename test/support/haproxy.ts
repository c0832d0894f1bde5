/** A throw-away HAProxy with the configuration of the compose file, before nodes of a test. */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Path from "node:path"
import {
  endProcess,
  findPrograms,
  freePort,
  serverAccount,
  startUntil,
  temporaryFolder
} from "../../bench/servers/ServerProcess.ts"

/** Where haproxy is; `undefined`: not on this machine. */
export const haproxyFolder: string | undefined = findPrograms(["haproxy"], ["/usr/sbin"])

const composeFile = new URL("../../docker-compose.yml", import.meta.url)

/** As the balancer's command writes it. */
const composed = (): string => {
  const [, text = ""] = /<<'CONFIG'\n([^]*?)\n *CONFIG\n/.exec(Fs.readFileSync(composeFile, "utf8")) ?? []
  return text
}

/** Its URL; `nodes`: those of `node-1` and so on. Dies when the program is not there. */
export const startBalancer = Effect.fnUntraced(function* (nodes: ReadonlyArray<string>) {
  if (haproxyFolder === undefined) return yield* Effect.die(new Error("haproxy is not on this machine"))
  const account = serverAccount()
  const folder = yield* temporaryFolder(account)
  const port = yield* freePort
  const placed = nodes.reduce(
    (text, url, index) => text.replaceAll(`node-${index + 1}:3000`, new URL(url).host),
    composed().replace("bind :3000", `bind 127.0.0.1:${port}`)
  )
  const file = Path.join(folder, "haproxy.cfg")
  Fs.writeFileSync(file, `${placed}\n`)
  // Verbose, so that it says when it stands.
  const start = startUntil(Path.join(haproxyFolder, "haproxy"), ["-d", "-f", file], "Using epoll", account)
  yield* Effect.acquireRelease(start, (child) => endProcess(child, "SIGKILL"))
  return `http://127.0.0.1:${port}`
})
