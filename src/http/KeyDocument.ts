/** An API key as it is shown, by the service and on the command line: without its secret. */
import type { ApiKey } from "../stores/ApiKeyStore.ts"
import { formatTime } from "./api/SchemaValues.ts"

const restrictionJson = ({ limits, ...restriction }: NonNullable<ApiKey["restriction"]>) => ({
  ...restriction,
  ...(limits === undefined
    ? {}
    : { limits: { perOperation: limits.perOperation?.toString(), perDay: limits.perDay?.toString() } })
})

export const keyJson = ({ createdAt, expiresAt, id, name, restriction, scopes }: ApiKey) => ({
  id,
  name,
  scopes,
  createdAt: formatTime(createdAt),
  expiresAt: expiresAt === undefined ? null : formatTime(expiresAt),
  restriction: restriction === undefined ? null : restrictionJson(restriction)
})

export type KeyDocument = ReturnType<typeof keyJson>
