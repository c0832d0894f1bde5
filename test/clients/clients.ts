/**
 * Clients that generators make of the OpenAPI document: each is compiled and goes through one scenario against a real
 * service. `npm run test:clients [-- NAME …]`. Everything that is fetched or made is in a folder of its own outside the
 * tree (`WALLET_CLIENTS_DIR`; default: one in the folder for temporary files). What is missing is said loudly.
 */
import * as Effect from "effect/Effect"
import { spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { startService, temporaryFolder } from "../cli/WalletProcess.ts"
import { document } from "../http/openapi/OpenApiJson.ts"

const generatorVersion = "7.25.0"
const oapiVersion = "v2.8.2"

const home = process.env["WALLET_CLIENTS_DIR"] ?? Path.join(Os.tmpdir(), "effect-wallet-clients")
const scenarios = Path.join(import.meta.dirname, "scenarios")
const documentFile = Path.join(home, "openapi.json")

class Failed extends Error {}

/** What a toolchain prints is of interest only where it fails. */
const run = (cwd: string, program: string, args: ReadonlyArray<string>, env: Record<string, string> = {}): string => {
  const said = spawnSync(program, args, {
    cwd,
    encoding: "utf8",
    env: { ...process.env, ...env },
    maxBuffer: 256 * 1024 * 1024
  })
  if (said.status === 0) return said.stdout
  throw new Failed(
    `${program} ${args.join(" ")}: ${said.error?.message ?? said.status}\n${said.stdout}\n${said.stderr}`
  )
}

const isThere = (program: string, versionFlag: string): boolean => spawnSync(program, [versionFlag]).status === 0

/** A folder of its own, anew; what a package manager has fetched is in that one's own cache. */
const folderOf = (name: string): string => {
  const folder = Path.join(home, name)
  Fs.rmSync(folder, { recursive: true, force: true })
  Fs.mkdirSync(folder, { recursive: true })
  return folder
}

const copied = (scenario: string, ...to: ReadonlyArray<string>): void => {
  const target = Path.join(...to)
  Fs.mkdirSync(Path.dirname(target), { recursive: true })
  Fs.copyFileSync(Path.join(scenarios, scenario), target)
}

/** By Maven, into this folder: the jar has all that it needs. */
const generatorJar = (): string => {
  const jar = Path.join(home, `openapi-generator-cli-${generatorVersion}.jar`)
  if (Fs.existsSync(jar)) return jar
  const artifact = `org.openapitools:openapi-generator-cli:${generatorVersion}`
  run(home, "mvn", ["-q", "-B", "dependency:get", `-Dartifact=${artifact}`, "-Dtransitive=false"])
  run(home, "mvn", ["-q", "-B", "dependency:copy", `-Dartifact=${artifact}`, `-DoutputDirectory=${home}`])
  return jar
}

const generate = (language: string, folder: string, ...options: ReadonlyArray<string>): void => {
  run(home, "java", ["-jar", generatorJar(), "generate", "-g", language, "-i", documentFile, "-o", folder, ...options])
}

type Where = Record<string, string>

interface Client {
  readonly name: string
  /** Programs with the flag that tells their version. */
  readonly needs: ReadonlyArray<readonly [string, string]>
  /** Generates, compiles and runs; answers what the scenario has printed. */
  readonly test: (service: Where) => string
}

const java = ["java", "-version"] as const
const maven = ["mvn", "-version"] as const
const go = ["go", "version"] as const

const clients: ReadonlyArray<Client> = [
  {
    name: "openapi-generator-python",
    needs: [java, maven, ["python3", "--version"]],
    test: (service) => {
      const folder = folderOf("python")
      generate("python", folder, "--additional-properties=packageName=wallet_client")
      copied("scenario.py", folder, "scenario.py")
      run(folder, "python3", ["-m", "venv", "venv"])
      const python = Path.join(folder, "venv", "bin", "python")
      run(folder, python, ["-m", "pip", "install", "-q", "-r", "requirements.txt"])
      run(folder, python, ["-m", "compileall", "-q", "wallet_client"])
      return run(folder, python, ["scenario.py"], service)
    }
  },
  {
    name: "openapi-generator-go",
    needs: [java, maven, go],
    test: (service) => {
      const folder = folderOf("go")
      generate(
        "go",
        folder,
        "--git-user-id",
        "local",
        "--git-repo-id",
        "wallet",
        "--additional-properties=packageName=wallet"
      )
      // Its tests are stubs, and need what is not in `go.mod`.
      Fs.rmSync(Path.join(folder, "test"), { recursive: true, force: true })
      copied("generated.go", folder, "scenario", "main.go")
      run(folder, "go", ["mod", "tidy"])
      run(folder, "go", ["vet", "./..."])
      return run(folder, "go", ["run", "./scenario"], service)
    }
  },
  {
    name: "openapi-generator-java",
    needs: [java, maven],
    test: (service) => {
      const folder = folderOf("java")
      // Else what is not given is sent as an empty list.
      generate("java", folder, "--additional-properties=containerDefaultToNull=true")
      copied("Scenario.java", folder, "src", "main", "java", "Scenario.java")
      run(folder, "mvn", ["-q", "-B", "-Dmaven.test.skip=true", "-Dmaven.javadoc.skip=true", "compile"])
      const classpath = Path.join(folder, "classpath.txt")
      run(folder, "mvn", ["-q", "-B", "dependency:build-classpath", `-Dmdep.outputFile=${classpath}`])
      const path = [Path.join(folder, "target", "classes"), Fs.readFileSync(classpath, "utf8").trim()].join(
        Path.delimiter
      )
      return run(folder, "java", ["-cp", path, "Scenario"], service)
    }
  },
  {
    name: "oapi-codegen",
    needs: [go],
    test: (service) => {
      const folder = folderOf("oapi")
      const tool = `github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@${oapiVersion}`
      run(folder, "go", ["install", tool], { GOBIN: home })
      run(folder, "go", ["mod", "init", "local/wallet"])
      Fs.mkdirSync(Path.join(folder, "wallet"))
      const options = ["-package", "wallet", "-generate", "types,client", "-o", "wallet/wallet.go", documentFile]
      run(folder, Path.join(home, "oapi-codegen"), options)
      copied("oapi.go", folder, "scenario", "main.go")
      run(folder, "go", ["mod", "tidy"])
      run(folder, "go", ["vet", "./..."])
      return run(folder, "go", ["run", "./scenario"], service)
    }
  },
  {
    name: "openapi-typescript",
    needs: [["npm", "--version"]],
    test: (service) => {
      const folder = folderOf("typescript")
      Fs.writeFileSync(Path.join(folder, "package.json"), '{"name":"scenario","private":true,"type":"module"}\n')
      const packages = ["openapi-typescript@7", "openapi-fetch@0", "typescript@5", "@types/node"]
      run(folder, "npm", ["install", "--no-audit", "--no-fund", ...packages])
      const bin = (name: string) => Path.join(folder, "node_modules", ".bin", name)
      run(folder, bin("openapi-typescript"), [documentFile, "-o", "wallet.ts"])
      copied("scenario.ts", folder, "scenario.ts")
      const strict = ["--strict", "--noEmit", "--skipLibCheck", "--allowImportingTsExtensions", "--types", "node"]
      run(folder, bin("tsc"), [...strict, "--target", "es2024", "--module", "nodenext", "scenario.ts"])
      return run(folder, process.execPath, ["scenario.ts"], service)
    }
  }
]

const chosen = process.argv.slice(2)
const unknown = chosen.filter((name) => !clients.some((client) => client.name === name))
if (unknown.length > 0) throw new Error(`no such client: ${unknown.join(", ")}`)

const counts = { passed: 0, failed: 0, skipped: 0 }

const test = ({ name, needs, test: scenario }: Client, service: Where): void => {
  const missing = needs.filter(([program, flag]) => !isThere(program, flag)).map(([program]) => program)
  if (missing.length > 0) {
    counts.skipped++
    console.error(`\n!!! NOT TESTED: ${name}, for want of ${missing.join(", ")}\n`)
    return
  }
  const began = performance.now()
  try {
    const printed = scenario(service)
    if (!printed.includes("scenario: done")) throw new Failed(`its scenario did not come to its end:\n${printed}`)
    counts.passed++
    console.log(
      `${name}: compiles, and goes through its scenario (${Math.round((performance.now() - began) / 1_000)} s)`
    )
  } catch (failure) {
    if (!(failure instanceof Failed)) throw failure
    counts.failed++
    console.error(`\n${name}: FAILED\n${failure.message}\n`)
  }
}

const secret = "a-key-for-generated-clients"

const main = Effect.scoped(
  Effect.gen(function* () {
    Fs.mkdirSync(home, { recursive: true })
    Fs.writeFileSync(documentFile, JSON.stringify(document))
    const data = yield* temporaryFolder
    const { url } = yield* startService({ WALLET_DATA_DIR: data, WALLET_API_KEY: secret })
    for (const client of clients) {
      if (chosen.length === 0 || chosen.includes(client.name)) test(client, { WALLET_URL: url, WALLET_KEY: secret })
    }
  })
)

await Effect.runPromise(main)
console.log(`clients: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
process.exitCode = counts.failed === 0 ? 0 : 1
