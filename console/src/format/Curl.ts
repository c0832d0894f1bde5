/** A request as a line for a POSIX shell, in which nothing that users have written means anything. Pure. */

export interface WireRequest {
  readonly method: "GET" | "POST" | "PATCH"
  /** From `/v1`, encoded. */
  readonly path: string
  readonly body?: object
}

/** Between single quotes everything is itself but the single quote. */
export const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** The key of the API is left to the environment: it is never on the screen, and not in the shell's history. */
export const curlOf = (base: string, { body, method, path }: WireRequest, idempotencyKey?: string): string => {
  const parts = ["curl -gsS", `-X ${method}`, quoted(new URL(path.slice(1), base).href)]
  parts.push('-H "Authorization: Bearer $WALLET_API_KEY"')
  if (idempotencyKey !== undefined) parts.push(`-H ${quoted(`Idempotency-Key: ${idempotencyKey}`)}`)
  if (body !== undefined) {
    parts.push(`-H ${quoted("Content-Type: application/json")}`, `--data-raw ${quoted(JSON.stringify(body))}`)
  }
  return parts.join(" ")
}
