/** Examples of parameters, for the OpenAPI document: those of one operation together are a request. */

export const parameterExamples: Readonly<Record<string, unknown>> = {
  id: "alice",
  holdId: "0198c1f0-9f6b-7c1e-8d2a-000000000003",
  "Idempotency-Key": "order-17",
  "If-Match": "*",
  dryRun: false,
  limit: 50
}
