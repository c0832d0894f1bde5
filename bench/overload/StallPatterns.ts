/**
 * What a client may send to hold up everybody else: bytes that are cheap to make and dear to
 * serve. Each by one connection, but for the readers.
 */

export interface StallTarget {
  readonly host: string
  readonly port: number
  readonly apiKey: string
  readonly walletId: string
}

export interface StallPattern {
  readonly name: string
  /** What each connection sends. */
  readonly bytes: (target: StallTarget) => string
  readonly connections: number
  /** Answers that are waited for on each connection; `null`: they are never read, for so long as the row asks. */
  readonly answers: number | null
}

const batchBytes = 1024 * 1024
const commandBytes = 128 * 1024

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`

const post = ({ apiKey }: StallTarget, path: string, body: string): string =>
  `POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${apiKey}\r\ncontent-type: application/json\r\n` +
  `idempotency-key: stall\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`

const creditOf = (target: StallTarget, body: string): string =>
  post(target, `/v1/wallets/${target.walletId}/credit`, body)

const members = (count: number): string => Array.from({ length: count }, (_, at) => `"m${at}":1`).join(",")

const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`

const batchOf = (target: StallTarget, command: (index: number) => string): string =>
  post(target, "/v1/batch", `{"commands":[${Array.from({ length: 1_000 }, (_, index) => command(index)).join(",")}]}`)

const one = (name: string, bytes: StallPattern["bytes"], answers = 1): StallPattern => ({
  name,
  bytes,
  answers,
  connections: 1
})

export const stallPatterns: ReadonlyArray<StallPattern> = [
  one("1,600 pipelined /metrics", () => get("/metrics").repeat(1_600), 1_600),
  one("100 pipelined /docs", () => get("/docs").repeat(100), 100),
  { name: "400 readers that never read /docs", bytes: () => get("/docs").repeat(4), connections: 400, answers: null },
  one("a megabyte of [", (target) => post(target, "/v1/batch", "[".repeat(batchBytes))),
  one("a megabyte of [ and ]", (target) =>
    post(target, "/v1/batch", "[".repeat(batchBytes / 2) + "]".repeat(batchBytes / 2))
  ),
  one("128 KiB of nested metadata", (target) => creditOf(target, `{"amount":"1","metadata":${nested(20_000)}}`)),
  one("a megabyte of nested metadata", (target) =>
    post(target, "/v1/batch", `{"commands":[{"type":"credit","metadata":${nested(170_000)}}]}`)
  ),
  one("90,000 members", (target) => post(target, "/v1/batch", `{"commands":[{${members(90_000)}}]}`)),
  one("as many members as 128 KiB hold", (target) => creditOf(target, `{"amount":"1",${members(commandBytes / 12)}}`)),
  // As far as a body may go.
  one("1,000 commands with 20 members too many", (target) =>
    batchOf(target, (index) => `{"type":"credit","walletId":"w","idempotencyKey":"${index}",${members(20)}}`)
  ),
  one(
    "16 batches of 1,000 malformed commands",
    (target) => batchOf(target, (index) => `{"type":"credit","walletId":"w","idempotencyKey":"${index}"}`).repeat(16),
    16
  ),
  one("36,000 requests without a host", () => "GET / HTTP/1.1\r\n\r\n".repeat(36_000), 36_000),
  one("1,600 pipelined /openapi.json", () => get("/openapi.json").repeat(1_600), 1_600),
  one("20,000 requests without a key", () => get("/v1/wallets").repeat(20_000), 20_000)
]
