import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ClusterJson } from "../../src/http/api/OperationsSchemas.ts"
import * as Server from "./TestServer.ts"

layer(Server.layer(), { excludeTestServices: true })("GET /v1/cluster of a single node", (it) => {
  it.effect("tells that it is alone and has every partition, each under a claim", () =>
    Effect.gen(function* () {
      const { call } = yield* Server.TestServer
      const { json, status } = yield* call("GET", "/v1/cluster")
      assert.strictEqual(status, 200)
      const { leases, node, nodes, partitions, unowned } = yield* Schema.decodeUnknownEffect(ClusterJson, {
        onExcessProperty: "error"
      })(json)
      assert.deepStrictEqual([leases, unowned, partitions], ["none", 0, 1_024])
      assert.deepStrictEqual(nodes, [
        { address: null, incarnation: node.incarnation, healthy: true, partitions: 1_024 }
      ])
      assert.deepStrictEqual(
        node.owned.map(({ partition }) => partition),
        Array.from({ length: 1_024 }, (_, partition) => partition)
      )
      assert.isTrue(node.owned.every(({ epoch }) => epoch >= 1))
    })
  )

  it.effect("is for admins alone", () =>
    Effect.gen(function* () {
      const { call, secrets } = yield* Server.TestServer
      for (const secret of [secrets.read, secrets.write]) {
        assert.strictEqual((yield* call("GET", "/v1/cluster", { secret })).status, 403)
      }
      assert.strictEqual((yield* call("GET", "/v1/cluster", { secret: null })).status, 401)
    })
  )
})
