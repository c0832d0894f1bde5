/** Lays the Elasticsearch of the tests before they run, where this machine can have it. */
import * as Effect from "effect/Effect"
import { elasticsearchLacks, layElasticsearch } from "../../../bench/servers/ElasticsearchServer.ts"

if (elasticsearchLacks === undefined) await Effect.runPromise(layElasticsearch)
else process.stderr.write(`Elasticsearch cannot be laid without ${elasticsearchLacks}\n`)
