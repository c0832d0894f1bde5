import { assert, describe, it } from "@effect/vitest"
import { kindOf } from "../../src/http/RequestKind.ts"

describe("the kind of a request", () => {
  it.each([
    ["GET", "/v1/wallets", "search"],
    ["GET", "/v1/wallets?q=a", "search"],
    ["HEAD", "/v1/holds?status=active", "search"],
    ["GET", "/v1/transactions?", "search"],
    ["GET", "/v1/stats?interval=day", "search"],
    ["GET", "/v1/transfers?minAmount=5", "search"],
    ["GET", "/v1/transfers?minAmount=5&walletId=a", "search"],
    ["GET", "/v1/transfers?walletId=a&metadata[k]=v", "search"],
    ["GET", "/v1/transfers", "read"],
    ["GET", "/v1/transfers?", "read"],
    ["GET", "/v1/transfers?walletId=a&status=pending&limit=5&cursor=x", "read"],
    ["GET", "/v1/transfers/t1", "read"],
    ["GET", "/v1/transactions/01a2", "read"],
    ["GET", "/v1/wallets/a", "read"],
    ["GET", "/v1/wallets/a/transactions?type=credit", "read"],
    ["GET", "/v1/feed?after=0", "read"],
    ["POST", "/v1/wallets", "write"],
    ["PATCH", "/v1/wallets/a", "write"],
    ["POST", "/v1/wallets/a/credit?await=persisted", "write"],
    ["POST", "/v1/wallets/a/credit?await=indexed", "indexed"],
    ["POST", "/v1/transfers?x=1&await=indexed&y=2", "indexed"],
    ["POST", "/v1/wallets/a/credit?await=indexedly", "write"],
    ["POST", "/v1/wallets/a/credit?%61wait=index%65d", "indexed"],
    ["POST", "/v1/batch?await=%70ersisted", "write"],
    ["GET", "/v1/wallets/a?await=indexed", "read"]
  ])("of %s %s is %s", (method, url, kind) => {
    assert.strictEqual(kindOf({ method, url }), kind)
  })
})
