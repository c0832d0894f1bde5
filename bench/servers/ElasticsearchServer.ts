/**
 * Throw-away Elasticsearch servers for the bench and the tests: the real server from Maven
 * Central's jars, laid once into a folder outside the tree, plain or with TLS, users and API keys.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type { ChildProcess } from "node:child_process"
import * as Crypto from "node:crypto"
import * as Fs from "node:fs"
import * as Https from "node:https"
import * as Http from "node:http"
import * as Os from "node:os"
import * as Path from "node:path"
import { type Account, endProcess, findPrograms, freePort, run, startUntil, temporaryFolder } from "./ServerProcess.ts"

const recipe = Path.resolve(import.meta.dirname, "../../test/support/elasticsearch")

/** Of that JDK; `0`: none there. */
const javaVersion = (home: string): number => {
  try {
    return Number(/^JAVA_VERSION="(\d+)/m.exec(Fs.readFileSync(Path.join(home, "release"), "utf8"))?.[1] ?? 0)
  } catch {
    return 0
  }
}

/** The JDK that is set, else the newest of the system's, of those that the server takes. */
const javaHome: string | undefined = [
  process.env["JAVA_HOME"] ?? "",
  ...Fs.globSync("/usr/lib/jvm/*").sort().toReversed()
]
  .filter((home) => home !== "" && javaVersion(home) >= 21)
  .at(0)

/** A folder of this recipe's own, which the server's account can read: not in a home. */
const laidFolder = (): string => {
  const hash = Crypto.createHash("sha256")
  for (const file of Fs.globSync("**/*.{sh,java,txt,properties}", { cwd: recipe }).sort()) {
    hash.update(file).update(Fs.readFileSync(Path.join(recipe, file)))
  }
  const user = process.getuid?.() ?? 0
  return Path.join(Os.tmpdir(), `effect-wallet-elasticsearch-${user}-${hash.digest("hex").slice(0, 12)}`)
}

const folder = laidFolder()

/** Others may write where it lies: what is not ours is not run. */
const isLaid = (): boolean => {
  const found = Fs.lstatSync(folder, { throwIfNoEntry: false })
  return found?.isDirectory() === true && found.uid === (process.getuid?.() ?? found.uid)
}

/** What is missing to have the server; `undefined`: it can run here, perhaps after `layElasticsearch`. */
export const elasticsearchLacks: string | undefined =
  process.platform !== "linux"
    ? "Linux"
    : javaHome === undefined
      ? "a JDK of 21 or newer (JAVA_HOME)"
      : findPrograms(["openssl"], []) === undefined
        ? "openssl"
        : !isLaid() && findPrograms(["mvn"], []) === undefined
          ? "mvn"
          : undefined

/** Fetches and lays the server where it is not yet, about a minute; answers the folder. Dies with what was said when it fails. */
export const layElasticsearch: Effect.Effect<string> = Effect.suspend(() => {
  if (elasticsearchLacks !== undefined) return Effect.die(new Error(`Elasticsearch needs ${elasticsearchLacks}`))
  if (isLaid()) return Effect.succeed(folder)
  return run("env", [`JAVA_HOME=${javaHome}`, Path.join(recipe, "lay.sh"), folder]).pipe(Effect.as(folder))
})

export interface ElasticsearchServer {
  /** `http://127.0.0.1:…`; secured: `https://…`. */
  readonly url: string
  readonly port: number
  /** Of the user `elastic`. */
  readonly password: Redacted.Redacted
  /** Secured: the path of its certificate, in PEM, signed by itself. */
  readonly certificate: string
  /** Ends as an operator ends it. */
  readonly stop: Effect.Effect<void>
  /** As a power cut or the kernel would. */
  readonly kill: Effect.Effect<void>
  /** The server neither answers nor closes, as a host that hangs. */
  readonly freeze: Effect.Effect<void>
  readonly thaw: Effect.Effect<void>
  /** Same port, same data. */
  readonly start: Effect.Effect<void>
  /** Stopped or killed, it loses all that it had. */
  readonly loseData: Effect.Effect<void>
  /** One request as `elastic`: the body is JSON, or lines of it. */
  readonly request: (method: string, path: string, body?: unknown) => Effect.Effect<ElasticsearchAnswer>
}

export interface ElasticsearchAnswer {
  readonly status: number
  /** Parsed, where it is JSON. */
  readonly body: unknown
}

export interface ElasticsearchServerOptions {
  /** Default `false`. */
  readonly secured?: boolean | undefined
  /** Default `256m`. */
  readonly heap?: string | undefined
  /** The JVM as in production, for measuring; default `false`: as quick to start as it gets. */
  readonly fullSpeed?: boolean | undefined
  /** Of the node. */
  readonly settings?: Readonly<Record<string, string>> | undefined
}

/** It refuses root, and `nobody` can read what it needs. */
const account = (): Account => {
  if (process.getuid?.() !== 0) return {}
  const nobody = Fs.readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .find(([name]) => name === "nobody")
  return nobody === undefined ? {} : { uid: Number(nobody[2]), gid: Number(nobody[3]) }
}

const nodeSettings = (port: number, options: ElasticsearchServerOptions): Readonly<Record<string, string>> => ({
  "cluster.name": "test",
  "node.name": "node-1",
  "discovery.type": "single-node",
  "network.host": "127.0.0.1",
  "http.port": String(port),
  "transport.port": "0",
  // A full test machine must not turn indexes read-only.
  "cluster.routing.allocation.disk.threshold_enabled": "false",
  "action.auto_create_index": "false",
  ...(options.secured === true && {
    "xpack.security.enabled": "true",
    "xpack.security.autoconfiguration.enabled": "false",
    "xpack.security.http.ssl.enabled": "true",
    "xpack.security.http.ssl.certificate": "node.crt",
    "xpack.security.http.ssl.key": "node.key",
    "xpack.security.transport.ssl.enabled": "false"
  }),
  ...options.settings
})

/** For a day or two: a server lives as long as a run. */
const makeCertificate = (config: string, owner: Account): Effect.Effect<unknown> => {
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
  const files = ["-keyout", Path.join(config, "node.key"), "-out", Path.join(config, "node.crt")]
  return run("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...names, ...files], owner)
}

const commandOf = (laid: string, data: string, password: string, options: ElasticsearchServerOptions) => {
  const heap = options.heap ?? "256m"
  const secured = options.secured === true
  const quick = `-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto -XX:SharedArchiveFile=${laid}/classes.jsa`
  const full = "-XX:+UseG1GC -XX:G1ReservePercent=25 -XX:InitiatingHeapOccupancyPercent=30"
  const netty =
    "-Dio.netty.noUnsafe=true -Dio.netty.noKeySetOptimization=true -Dio.netty.recycler.maxCapacityPerThread=0"
  const words = `-i PATH=/usr/bin:/bin LANG=C.UTF-8 ${javaHome}/bin/java -Xms${heap} -Xmx${heap} -Xss1m
    ${options.fullSpeed === true ? full : quick} -XX:+ExitOnOutOfMemoryError
    --enable-native-access=ALL-UNNAMED --add-modules=jdk.incubator.vector -Dfile.encoding=UTF-8 -Djava.awt.headless=true
    -Dorg.elasticsearch.nativeaccess.enableVectorLibrary=false -Dlog4j2.disable.jmx=true ${netty}
    -Djava.io.tmpdir=${data}/tmp -Des.path.home=${laid}/${secured ? "home-secured" : "home"} -Des.path.conf=${data}/config
    -Des.set.path.data=${data}/data -Des.set.path.logs=${data}/logs ${secured ? `-Des.bootstrap.password=${password}` : ""}
    -cp ${Path.join(laid, "home", "lib", "*")} testnode.Main`
  return words.split(/\s+/)
}

/** `request` of a server. Status `0`: no answer. */
export const requestOf =
  (url: string, password: string): ElasticsearchServer["request"] =>
  (method, path, body) =>
    Effect.callback((resume) => {
      const text = body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body)
      const request = (url.startsWith("https:") ? Https : Http).request(new URL(path, url), {
        method,
        timeout: 30_000,
        agent: false,
        ...(url.startsWith("https:") && { auth: `elastic:${password}`, rejectUnauthorized: false }),
        headers: { "content-type": "application/json", "content-length": Buffer.byteLength(text) }
      })
      const answer = (status: number, text: string) => {
        let parsed: unknown = text
        try {
          parsed = JSON.parse(text)
        } catch {
          // Then it is text.
        }
        resume(Effect.succeed({ status, body: parsed }))
      }
      request.on("response", (response) => {
        let text = ""
        response.setEncoding("utf8")
        response.on("data", (data: string) => (text += data))
        response.on("end", () => answer(response.statusCode ?? 0, text))
        response.on("error", (error) => answer(0, error.message))
      })
      request.on("timeout", () => request.destroy(new Error("no answer")))
      request.on("error", (error) => answer(0, error.message))
      request.end(text)
      return Effect.sync(() => void request.destroy())
    })

/** Says that it has started before all of it serves. */
const whenHealthy = (request: ElasticsearchServer["request"]): Effect.Effect<void> =>
  Effect.repeat(request("GET", "/_cluster/health?wait_for_status=yellow&timeout=5s"), {
    schedule: Schedule.spaced("50 millis"),
    until: ({ status }) => status === 200
  }).pipe(Effect.asVoid)

/** A server of its own, ended and deleted when the scope closes. Dies when it cannot be had here (`elasticsearchLacks`). */
export const startElasticsearch = Effect.fnUntraced(function* (options: ElasticsearchServerOptions = {}) {
  const laid = yield* layElasticsearch
  const owner = account()
  const data = yield* temporaryFolder(owner)
  const port = yield* freePort
  const password = Crypto.randomBytes(12).toString("hex")
  const config = Path.join(data, "config")
  for (const name of ["config", "tmp", "logs", "data"]) {
    Fs.mkdirSync(Path.join(data, name))
    if (owner.uid !== undefined) Fs.chownSync(Path.join(data, name), owner.uid, owner.gid ?? owner.uid)
  }
  const lines = Object.entries(nodeSettings(port, options)).map(
    ([name, value]) => `${name}: ${JSON.stringify(value)}\n`
  )
  Fs.writeFileSync(Path.join(config, "elasticsearch.yml"), lines.join(""))
  Fs.copyFileSync(Path.join(recipe, "log4j2.properties"), Path.join(config, "log4j2.properties"))
  if (options.secured === true) yield* makeCertificate(config, owner)

  const url = `${options.secured === true ? "https" : "http"}://127.0.0.1:${port}`
  const request = requestOf(url, password)
  const state: { child: ChildProcess | undefined } = { child: undefined }
  const start = startUntil("env", commandOf(laid, data, password, options), "ES-STARTED", owner).pipe(
    Effect.tap((child) => {
      state.child = child
      return whenHealthy(request)
    }),
    Effect.asVoid
  )
  const signal = (name: NodeJS.Signals) => Effect.sync(() => void state.child?.kill(name))
  const end = (name: NodeJS.Signals) =>
    Effect.suspend(() => (state.child === undefined ? Effect.void : endProcess(state.child, name)))
  yield* Effect.acquireRelease(start, () => end("SIGKILL"))
  const server: ElasticsearchServer = {
    url,
    port,
    password: Redacted.make(password),
    certificate: Path.join(config, "node.crt"),
    stop: end("SIGTERM"),
    kill: end("SIGKILL"),
    freeze: signal("SIGSTOP"),
    thaw: signal("SIGCONT"),
    start,
    loseData: Effect.sync(() => {
      for (const name of Fs.readdirSync(Path.join(data, "data"))) {
        Fs.rmSync(Path.join(data, "data", name), { recursive: true })
      }
    }),
    request
  }
  return server
})
