/** Malformed searches: rows of the table of `BadRequests.test.ts`. */
import { badAmounts, badTimes, I, long, query, type Row, transfers, wallets } from "./badValues.ts"

const searches = [wallets, "/v1/transactions", transfers, "/v1/holds"]
const amountSearches = searches.slice(1)

/** `metadata[key]=value`, so many. */
const pairsQuery = (count: number) => Array.from({ length: count }, (_, at) => `metadata[k${at}]=v`).join("&")

const badPairs = [
  "metadata=", "metadata=a", "metadata[]=a", "metadata[]", "metadata%5B%5D=a", "metadata[a=b", "metadata]a[=b", "metadata.a=b",
  "[a]=b", "metadata[a]b=c", "metadata[a]metadata[b]=c", "metadata[[a]]=b", "metadata[a][b]=c", "metadata[a%5D%5Bb]=c",
  "metadata[a%5D]=c", "Metadata[a]=b", "metadata%5Ba%5D%5Bb%5D=c", "metadata%255Ba%255D=b", "metadata[a]=%00",
  "metadata[%00]=a", "metadata[a]=%ed%a0%80", "metadata[%ed%a0%80]=a", "metadata[a]=%ff", "metadata[a]=%zz", "metadata[a%]=b",
  `metadata[${long(65)}]=a`, `metadata[a]=${long(513)}`, "metadata[a]=b&metadata[a]=b", "metadata[a]=b&metadata%5Ba%5D=c",
  "metadata[a]=b&metadata[%61]=c", pairsQuery(6), pairsQuery(200), "metadata[a]=b&metadata=c", "metadata[a]=b&x[a]=b"
] // prettier-ignore

export const searchRows: ReadonlyArray<Row> = [
  ...searches.flatMap((path): ReadonlyArray<Row> => [
    ...badPairs.map((pair): Row => ["GET", `${path}?${pair}`, undefined, I]),
    ...badTimes.flatMap((time): ReadonlyArray<Row> => [
      ["GET", `${path}?from=${query(time)}`, undefined, I],
      ["GET", `${path}?to=${query(time)}`, undefined, I]
    ]),
    ["GET", `${path}?ownerId=o&ownerId=o`, undefined, I],
    ["GET", `${path}?q=a&q=a`, undefined, I],
    ["GET", `${path}?currency=eur`, undefined, I]
  ]),
  ...amountSearches.flatMap((path): ReadonlyArray<Row> => [
    ...badAmounts
      .filter((amount) => typeof amount === "string" && amount !== "0" && amount.length < 1_000)
      .flatMap((amount): ReadonlyArray<Row> => [
        ["GET", `${path}?minAmount=${query(String(amount))}`, undefined, I],
        ["GET", `${path}?maxAmount=${query(String(amount))}`, undefined, I]
      ]),
    ...["%00", long(256), "%ed%a0%80"].map((text): Row => ["GET", `${path}?reference=${text}`, undefined, I]),
    ["GET", `${path}?walletId=a%20b`, undefined, I],
    ["GET", `${path}?minBalance=1`, undefined, I]
  ]),
  ...["", "a%20b", "%C3%A4", "%00", long(256)].flatMap((key): ReadonlyArray<Row> => [
    ["GET", `/v1/transactions?idempotencyKey=${key}`, undefined, I],
    ["GET", `${transfers}?idempotencyKey=${key}`, undefined, I]
  ]),
  ...["holdId", "transferId"].map((name): Row => ["GET", `/v1/transactions?${name}=a.b`, undefined, I]),
  ...badTimes.map((time): Row => ["GET", `/v1/holds?expiresBefore=${query(time)}`, undefined, I]),
  ["GET", "/v1/holds?status=open", undefined, I],
  ["GET", "/v1/holds?type=credit", undefined, I],
  ["GET", "/v1/holds?idempotencyKey=k", undefined, I],
  ["GET", "/v1/transactions?status=active", undefined, I],
  ["GET", `${wallets}?reference=a`, undefined, I],
  ["GET", `${wallets}/w/transactions?metadata[a]=b`, undefined, I],
  ["GET", `${wallets}/w/holds?metadata[a]=b`, undefined, I],
  ["GET", "/v1/transactions/a.b", undefined, I],
  ["GET", "/v1/transactions/t?limit=1", undefined, I],
  ["GET", "/v1/transactions/nope", undefined, "TransactionNotFound"],
  ["POST", "/v1/holds", { amount: "1" }, "MethodNotAllowed"],
  ...["", "week", "Day", "1d"].map((interval): Row => ["GET", `/v1/stats?interval=${interval}`, undefined, I]),
  ...badTimes.map((time): Row => ["GET", `/v1/stats?from=${query(time)}`, undefined, I]),
  ["GET", "/v1/stats?ownerId=a%20b", undefined, I],
  ["GET", "/v1/stats?currency=eur", undefined, I],
  ["GET", "/v1/stats?limit=1", undefined, I],
  ["GET", "/v1/stats?metadata[a]=b", undefined, I],
  ["GET", "/v1/stats?interval=day&interval=day", undefined, I]
]
