/** The files for Docker, as far as they can be judged without its engine. */
import { parse } from "effect/encoding/Yaml"
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "vitest"

const root = Path.resolve(import.meta.dirname, "../..")
const read = (path: string): string => Fs.readFileSync(Path.join(root, path), "utf8")

interface Service {
  readonly image: string
  readonly build?: string
  readonly environment?: Readonly<Record<string, string>>
  readonly command?: ReadonlyArray<string>
  readonly ports?: ReadonlyArray<string>
  readonly networks: ReadonlyArray<string> | Readonly<Record<string, { readonly aliases?: ReadonlyArray<string> }>>
  readonly mem_limit?: string
  readonly volumes?: ReadonlyArray<string>
  readonly profiles?: ReadonlyArray<string>
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly healthcheck?: { readonly test: ReadonlyArray<string> }
  readonly restart: string
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>
  readonly volumes: Readonly<Record<string, unknown>>
}

const text = read("docker-compose.yml")
const compose = parse(text) as Compose
const services = Object.entries(compose.services)
const stores = ["kurrentdb", "postgres", "redis", "elasticsearch"]
const names = (of: (service: Service) => boolean): ReadonlyArray<string> =>
  services.flatMap(([name, service]) => (of(service) ? [name] : []))

/** Variables that compose takes from `.env`, with how each is taken. */
const interpolated = Array.from(text.matchAll(/(?<!\$)\$\{(\w+)([^}]*)\}/g), ([, name = "", how = ""]) => ({
  name,
  how
}))

describe("docker-compose.yml", () => {
  it("publishes the service's port, on the loopback, and none of a store", () => {
    for (const [name, { ports = [] }] of services) {
      for (const port of ports) assert.match(port, /^127\.0\.0\.1:/, name)
    }
    assert.deepStrictEqual(compose.services["wallet"]?.ports, ["127.0.0.1:${WALLET_PORT:-3000}:3000"])
  })

  it("keeps the stores in a network without a way out", () => {
    assert.isTrue(compose.networks["stores"]?.internal)
    for (const name of stores) {
      assert.deepStrictEqual(compose.services[name]?.networks, ["stores"], name)
      assert.isUndefined(compose.services[name]?.ports, name)
    }
  })

  it("pins every image to a version", () => {
    assert.deepStrictEqual(
      names(({ image }) => !/:(?:v?\d+\.\d|local)/.test(image)),
      []
    )
    const [, major = 0, minor = 0] = /kurrentdb:(\d+)\.(\d+)/.exec(compose.services["kurrentdb"]?.image ?? "") ?? []
    assert.isAtLeast(Number(major) * 100 + Number(minor), 2601, "appends over many streams need 26.1")
  })

  it("knows of every part whether it is well, and starts it again", () => {
    assert.deepStrictEqual(
      names(({ build, healthcheck }) => build === undefined && healthcheck === undefined),
      []
    )
    assert.include(read("Dockerfile"), "HEALTHCHECK")
    assert.deepStrictEqual(
      names(({ restart }) => restart !== "unless-stopped"),
      []
    )
    assert.deepStrictEqual(compose.services["wallet"]?.depends_on, {
      kurrentdb: { condition: "service_healthy" },
      postgres: { condition: "service_healthy" }
    })
  })

  it("runs what the service needs, and no more unless a profile asks for it", () => {
    assert.sameMembers(
      [...names(({ profiles }) => profiles === undefined)],
      ["wallet", "kurrentdb", "postgres", "elasticsearch"]
    )
  })

  it("has Elasticsearch with its security on; the service does not wait for it", () => {
    const { elasticsearch, wallet } = compose.services
    assert.strictEqual(elasticsearch?.environment?.["xpack.security.enabled"], "true")
    assert.strictEqual(wallet?.environment?.["ELASTICSEARCH_URL"], "http://elasticsearch:9200")
    assert.notProperty(wallet?.depends_on, "elasticsearch")
  })

  it("runs three nodes behind a balancer in the profile for it, in place of the one service", () => {
    const inProfile = names(({ profiles }) => profiles?.includes("cluster") === true)
    assert.sameMembers([...inProfile], ["node-1", "node-2", "node-3", "balancer", "redis"])
    const { balancer } = compose.services
    // Both want this port: whoever starts both is told.
    assert.deepStrictEqual(balancer?.ports, compose.services["wallet"]?.ports)
    for (const name of ["node-1", "node-2", "node-3"]) {
      const { environment, networks, ports } = compose.services[name]!
      assert.isUndefined(ports, "only the balancer is reached from outside")
      // Listens where it is reached: a name of the nodes' own network, which neither the balancer nor a store is in.
      assert.strictEqual(environment?.["WALLET_CLUSTER_ADDRESS"], `${name}.nodes:34431`)
      assert.isUndefined(environment?.["WALLET_CLUSTER_LISTEN"])
      assert.deepStrictEqual(networks, { front: {}, stores: {}, nodes: { aliases: [`${name}.nodes`] } })
      assert.strictEqual(environment?.["WALLET_CLUSTER_SECRET"], "${WALLET_CLUSTER_SECRET:-}")
      assert.match(environment?.["REDIS_URL"] ?? "", /@redis:6379$/)
      assert.include(balancer?.command?.at(-1), `server ${name} ${name}:3000`)
      assert.include(balancer?.command?.at(-1), `{ res.hdr(x-wallet-node) ${environment?.["WALLET_NODE_URL"]} }`)
    }
  })

  it("watches it all in the profile for it, with the files of this tree", () => {
    const inProfile = names(({ profiles }) => profiles?.includes("observe") === true)
    assert.sameMembers([...inProfile], ["prometheus", "grafana", "collector", "jaeger"])
    const mounted = inProfile.flatMap((name) =>
      (compose.services[name]?.volumes ?? []).filter((volume) => volume.startsWith("./"))
    )
    const files = mounted.flatMap((volume) =>
      ["one", "cluster"].map((targets) => volume.replace("${OBSERVE_TARGETS:-one}", targets).split(":")[0] ?? "")
    )
    assert.isAbove(files.length, 8)
    assert.deepStrictEqual(
      files.filter((file) => !Fs.existsSync(Path.join(root, file))),
      []
    )
    const targets = (name: string) => parse(read(`deploy/observe/targets/${name}.yml`))
    assert.deepStrictEqual(targets("one"), [{ targets: ["wallet:3000"] }])
    assert.deepStrictEqual(targets("cluster"), [{ targets: ["node-1:3000", "node-2:3000", "node-3:3000"] }])
    // None of them reaches a store.
    const inStores = names(({ networks }) =>
      Array.isArray(networks) ? networks.includes("stores") : "stores" in networks
    )
    assert.deepStrictEqual(
      inProfile.filter((name) => inStores.includes(name)),
      []
    )
  })

  it("keeps what nodes say to each other in a network of their own, without a way out", () => {
    assert.isTrue(compose.networks["nodes"]?.internal)
    const inNodes = names(({ networks }) =>
      Array.isArray(networks) ? networks.includes("nodes") : "nodes" in networks
    )
    assert.sameMembers([...inNodes], ["node-1", "node-2", "node-3"])
  })

  it("bounds the memory of every part, and says how to pin the images for good", () => {
    assert.deepStrictEqual(
      names(({ mem_limit }) => !/^\d+[mg]$/.test(mem_limit ?? "")),
      []
    )
    assert.include(text, "config --resolve-image-digests")
  })

  it("keeps the data of stores in volumes that it declares", () => {
    const named = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(":")[0]))
    assert.sameMembers(
      named.filter((volume) => !volume?.startsWith(".")),
      Object.keys(compose.volumes)
    )
  })

  it("has no secret in it, and refuses to start without those it must have", () => {
    const secrets = interpolated.filter(({ name }) => /PASSWORD|KEY|SECRET/.test(name))
    assert.includeMembers(
      secrets.map(({ name }) => name),
      ["POSTGRES_PASSWORD", "WALLET_API_KEY"]
    )
    for (const { how, name } of secrets)
      assert.match(`${name}${how}`, /^(REDIS_PASSWORD|WALLET_CLUSTER_SECRET|GRAFANA_PASSWORD):-$|:\?set \w+ in \.env$/)
    const example = read(".env.example")
    for (const { name } of interpolated) assert.match(example, new RegExp(`^${name}=`, "m"))
    for (const { name } of secrets) assert.match(example, new RegExp(`^${name}=$`, "m"))
    assert.match(read(".gitignore"), /^\.env$/m)
  })

  it("sets no variable that the service does not read", () => {
    const sources = Fs.globSync("src/**/*.ts", { cwd: root }).map(read).join("\n")
    const set = names(({ build }) => build !== undefined).flatMap((name) =>
      Object.keys(compose.services[name]?.environment ?? {})
    )
    assert.isNotEmpty(set)
    assert.deepStrictEqual(
      set.filter((name) => !sources.includes(`"${name}"`)),
      []
    )
  })
})

describe("Dockerfile", () => {
  const dockerfile = read("Dockerfile")

  it("copies what .dockerignore lets through, and what is there", () => {
    const letThrough = read(".dockerignore")
      .split("\n")
      .flatMap((line) => (line.startsWith("!") ? [line.slice(1)] : []))
    const copied = Array.from(dockerfile.matchAll(/^COPY (?!--from)(.+)$/gm), ([, paths = ""]) =>
      paths.split(" ").slice(0, -1)
    ).flat()
    assert.sameMembers([...new Set(copied)], letThrough)
    assert.deepStrictEqual(
      copied.filter((path) => !Fs.existsSync(Path.join(root, path))),
      []
    )
  })

  it("runs the built executable as a user of no rights, and stops it by SIGTERM", () => {
    assert.match(dockerfile, /^USER node$/m)
    assert.match(dockerfile, /^STOPSIGNAL SIGTERM$/m)
    const manifest = JSON.parse(read("package.json")) as { readonly bin: { readonly wallet: string } }
    assert.include(dockerfile, `ENTRYPOINT ["node", "${manifest.bin.wallet}"]`)
  })

  it("checks its health by a program that Node can read", () => {
    const [, program = ""] = /CMD \["node", "-e", "(.+)"\]$/m.exec(dockerfile) ?? []
    assert.include(program, "/health/live")
    const nobody = spawnSync(process.execPath, ["-e", program], { env: { PORT: "1" } })
    assert.deepStrictEqual([nobody.status, String(nobody.stderr)], [1, ""])
  })
})
