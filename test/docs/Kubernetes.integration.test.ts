/** The manifests for Kubernetes, as far as they can be judged without it: by the schemas of its API, and by what the service is. */
import { parse } from "effect/encoding/Yaml"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { assert, describe, it } from "vitest"
import { kubeconform, kubeconformLacks } from "../support/kubernetes/kubeconform.ts"

const root = Path.resolve(import.meta.dirname, "../..")
const folder = Path.join(root, "deploy/kubernetes")
const read = (path: string): string => Fs.readFileSync(Path.join(root, path), "utf8")

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string }
  readonly periodSeconds: number
  readonly failureThreshold: number
}

interface Port {
  readonly name: string
  readonly port?: number
  readonly targetPort?: string
  readonly containerPort?: number
}

interface Container {
  readonly image: string
  readonly env: ReadonlyArray<{ readonly name: string; readonly value?: string }>
  readonly ports: ReadonlyArray<Port>
  readonly startupProbe: Probe
  readonly livenessProbe: Probe
  readonly readinessProbe: Probe
  readonly lifecycle: { readonly preStop: { readonly sleep: { readonly seconds: number } } }
  readonly resources: { readonly limits: Readonly<Record<string, string>> }
  readonly securityContext: Readonly<Record<string, unknown>>
}

interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> }
  readonly data?: Readonly<Record<string, string>>
  readonly stringData?: Readonly<Record<string, string>>
  readonly spec?: {
    readonly replicas?: number
    readonly serviceName?: string
    readonly clusterIP?: string
    readonly publishNotReadyAddresses?: boolean
    readonly maxUnavailable?: number
    readonly ports?: ReadonlyArray<Port>
    readonly ingress?: ReadonlyArray<{
      readonly ports: ReadonlyArray<{ readonly port: string }>
      readonly from?: unknown
    }>
    readonly template?: {
      readonly spec: {
        readonly containers: ReadonlyArray<Container>
        readonly enableServiceLinks: boolean
        readonly terminationGracePeriodSeconds: number
        readonly securityContext: Readonly<Record<string, unknown>>
      }
    }
  }
}

const { images, resources } = parse(read("deploy/kubernetes/kustomization.yaml")) as {
  readonly resources: ReadonlyArray<string>
  readonly images: ReadonlyArray<{ readonly name: string; readonly newTag: string }>
}
const documents = [...resources, "secret.example.yaml"].flatMap((file) =>
  read(`deploy/kubernetes/${file}`).split("\n---\n")
)
const manifests = documents.map((text) => parse(text) as Manifest)

const the = (kind: string, name = "wallet"): Manifest => {
  const found = manifests.find((one) => one.kind === kind && one.metadata.name === name)
  if (found === undefined) throw new Error(`there is no ${kind} ${name}`)
  return found
}

const pod = the("StatefulSet").spec!.template!.spec
const container = pod.containers[0]!
const config = the("ConfigMap").data!
const portOf = (name: string): number => container.ports.find((port) => port.name === name)!.containerPort!

const check = (texts: ReadonlyArray<string>) => kubeconform(texts.join("\n---\n"))

if (kubeconformLacks !== undefined)
  console.warn(
    `kubeconform: ABSENT - NOT TESTED: the manifests of deploy/kubernetes by the schemas of Kubernetes (${kubeconformLacks})`
  )

describe("deploy/kubernetes", () => {
  it.skipIf(kubeconformLacks !== undefined)(
    "is what the API of Kubernetes takes: no field is unknown, of a wrong type or there twice",
    () => {
      const { said, status } = check(documents)
      assert.strictEqual(status, 0, said)
      assert.lengthOf(said.match(/ is valid$/gm) ?? [], manifests.length)
      const nodes = documents.find((text) => text.includes("kind: StatefulSet"))!
      const { said: refused } = check([
        nodes.replace("readinessProbe", "readyProbe"),
        nodes.replace("replicas: 3", "replicas: three"),
        nodes.replace("replicas: 3", "replicas: 3\n  replicas: 3")
      ])
      assert.match(refused, /additional properties 'readyProbe' not allowed/)
      assert.match(refused, /at '\/spec\/replicas': got string/)
      assert.match(refused, /key "replicas" already set in map/)
      assert.notMatch(refused, / is valid$/m)
    }
  )

  it("lists every manifest but the example of the secret, which has no secret in it", () => {
    const files = Fs.readdirSync(folder).filter((name) => !["kustomization.yaml", "secret.example.yaml"].includes(name))
    assert.sameMembers([...resources], files)
    assert.isTrue(Object.values(the("Secret").stringData!).every((value) => value === ""))
    assert.sameMembers(Object.keys(the("Secret").stringData!), [
      "DATABASE_URL",
      "REDIS_URL",
      "WALLET_CLUSTER_SECRET",
      "WALLET_API_KEY"
    ])
  })

  it("sets no variable that the service does not read, and each once", () => {
    const sources = Fs.globSync("src/**/*.ts", { cwd: root }).map(read).join("\n")
    const own = container.env.map(({ name }) => name).filter((name) => !name.startsWith("POD_"))
    const set = [...Object.keys(config), ...Object.keys(the("Secret").stringData!), ...own]
    assert.deepStrictEqual(
      set.filter((name) => !sources.includes(`"${name}"`)),
      []
    )
    assert.lengthOf(new Set(set), set.length)
    // Kubernetes would set WALLET_PORT and others for the Service of this name.
    assert.isFalse(pod.enableServiceLinks)
  })

  it("has the ports that the service is told to listen at, everywhere the same", () => {
    assert.strictEqual(config["HOST"], "0.0.0.0")
    assert.strictEqual(config["PORT"], String(portOf("http")))
    assert.strictEqual(config["WALLET_METRICS_PORT"], String(portOf("metrics")))
    assert.strictEqual(config["WALLET_CLUSTER_LISTEN"], `0.0.0.0:${portOf("nodes")}`)
    assert.match(read("docs/OPERATIONS.md"), new RegExp(`127\\.0\\.0\\.1:${portOf("nodes")}`))
    const names = container.ports.map(({ name }) => name)
    for (const service of ["wallet", "wallet-nodes"])
      for (const { targetPort } of the("Service", service).spec!.ports!) assert.include(names, targetPort)
    for (const { ports } of the("NetworkPolicy").spec!.ingress!)
      for (const { port } of ports) assert.include(names, port)
  })

  it("gives each node the name by which the others reach it, before it is ready, too", () => {
    const address = container.env.find(({ name }) => name === "WALLET_CLUSTER_ADDRESS")?.value
    const { serviceName } = the("StatefulSet").spec!
    assert.strictEqual(address, `$(POD_NAME).${serviceName}.$(POD_NAMESPACE).svc:${portOf("nodes")}`)
    const { clusterIP, publishNotReadyAddresses } = the("Service", serviceName).spec!
    assert.strictEqual(clusterIP, "None")
    assert.isTrue(publishNotReadyAddresses)
  })

  it("asks for health where the service tells it, and gives a start the time of a long migration", () => {
    const paths = [container.startupProbe, container.livenessProbe, container.readinessProbe].map(({ httpGet }) => {
      assert.strictEqual(httpGet.port, "http")
      return httpGet.path
    })
    assert.deepStrictEqual(paths, ["/health/live", "/health/live", "/health/ready"])
    const sources = Fs.globSync("src/http/**/*.ts", { cwd: root }).map(read).join("\n")
    for (const path of paths) assert.include(sources, path)
    const { failureThreshold, periodSeconds } = container.startupProbe
    assert.isAtLeast(failureThreshold * periodSeconds, 30 * 60)
  })

  it("waits for what is in flight longer than a stop takes", () => {
    const stopMillis = Number(/const stopMillis = ([\d_]+)/.exec(read("src/bin/main.ts"))?.[1]?.replaceAll("_", ""))
    assert.isAtLeast(stopMillis, 1_000)
    const needed = container.lifecycle.preStop.sleep.seconds + stopMillis / 1_000
    assert.isAtLeast(pod.terminationGracePeriodSeconds, needed + 5)
  })

  it("lets only nodes reach the port between them", () => {
    const [open = [], ...others] = the("NetworkPolicy").spec!.ingress!.map(({ from, ports }) => {
      const names = ports.map(({ port }) => port)
      return from === undefined ? names : [names.join(), JSON.stringify(from)]
    })
    assert.deepStrictEqual(open, ["http"])
    const nodes = others.find(([port]) => port === "nodes")
    assert.strictEqual(nodes?.[1], `[{"podSelector":{"matchLabels":{"app.kubernetes.io/name":"effect-wallet"}}}]`)
  })

  it("runs as nobody in particular, writes nowhere, and one node goes at a time", () => {
    assert.strictEqual(pod.securityContext["runAsNonRoot"], true)
    assert.strictEqual(pod.securityContext["runAsUser"], 1000)
    assert.strictEqual(container.securityContext["readOnlyRootFilesystem"], true)
    assert.strictEqual(container.securityContext["allowPrivilegeEscalation"], false)
    assert.deepStrictEqual(container.securityContext["capabilities"], { drop: ["ALL"] })
    assert.deepStrictEqual(Object.keys(container.resources.limits), ["memory"])
    assert.strictEqual(the("StatefulSet").spec!.replicas, 3)
    assert.strictEqual(the("PodDisruptionBudget").spec!.maxUnavailable, 1)
    assert.isFalse(manifests.some(({ kind }) => kind === "HorizontalPodAutoscaler"))
  })

  it("takes the image of this release", () => {
    const { version } = JSON.parse(read("package.json")) as { readonly version: string }
    assert.deepStrictEqual(
      images.map(({ name, newTag }) => [name, newTag]),
      [[container.image, version]]
    )
  })
})
