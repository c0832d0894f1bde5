/** `--wallet-map FILE`: which wallet an account of the file is, where its name is no id. */
import { parse } from "csv-parse/sync"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Result from "effect/Result"
import { isId } from "../../domain/Limits.ts"
import { FileUnreadable } from "./MovementFile.ts"

type WalletMap = ReadonlyMap<string, string>

const mapOf = (text: string): Result.Result<WalletMap, string> =>
  Result.try({
    try: () => {
      const records: ReadonlyArray<ReadonlyArray<string>> = parse(text, { bom: true, skip_empty_lines: true })
      const [header, ...rows] = records
      if (header?.join(",") !== "account,wallet") throw new Error("the first line has to be: account,wallet")
      const map = new Map<string, string>()
      const accounts = new Map<string, string>()
      for (const [name = "", wallet = ""] of rows) {
        const account = name.trim()
        if (map.has(account)) throw new Error(`it names the account ${account} twice`)
        if (wallet !== "" && !isId(wallet)) throw new Error(`${JSON.stringify(wallet)} is not 1-64 of A-Z a-z 0-9 _ -`)
        const other = accounts.get(wallet)
        if (wallet !== "" && other !== undefined) throw new Error(`${other} and ${account} are both wallet ${wallet}`)
        accounts.set(wallet, account)
        map.set(account, wallet)
      }
      return map
    },
    catch: (cause) => (cause instanceof Error ? cause.message : String(cause))
  })

/** CSV with the header `account,wallet`; an account without a wallet is left out of the import. */
export const readWalletMap = Effect.fnUntraced(function* (file: string) {
  const files = yield* FileSystem.FileSystem
  const unreadable = (reason: string) => new FileUnreadable({ file, reason })
  const bytes = yield* Effect.mapError(files.readFile(file), (error) => unreadable(error.reason.message))
  const text = yield* Effect.try({
    try: () => new TextDecoder("utf-8", { fatal: true }).decode(bytes),
    catch: () => unreadable("it is not UTF-8")
  })
  return yield* Effect.mapError(Effect.fromResult(mapOf(text)), unreadable)
})
