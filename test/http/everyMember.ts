/** What any problem may have to say, under the names of its error. */
export const everyMember = {
  walletId: "w",
  transferId: "t",
  currency: "EUR",
  available: -3n,
  required: 4n,
  shortage: 7n,
  remaining: 1n,
  refundable: 0n,
  limit: "perDay",
  bound: 10n ** 36n - 1n,
  current: 5n,
  expected: "EUR",
  actual: "USD",
  direction: "all",
  until: 1_700_000_000_000,
  policy: "velocity",
  reason: "scope",
  version: 7,
  leg: 0,
  errors: [
    { pointer: "/amount", detail: "no" },
    { pointer: "#/query/limit", detail: "no" }
  ]
}
