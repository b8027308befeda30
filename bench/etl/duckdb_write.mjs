// DuckDB's CPU seconds for writing a table as CSV, Parquet with snappy, and with zstd, one thread.
// Usage: node duckdb_write.mjs FOLDER_OF_READERS FOLDER, which holds snappy.parquet; prints three numbers.
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [readers, folder] = process.argv.slice(2)
const require = createRequire(readers + '/package.json')
const { DuckDBInstance } = await import(pathToFileURL(require.resolve('@duckdb/node-api')).href)
const connection = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect()
await connection.run(`create table t as select * from read_parquet('${folder}/snappy.parquet')`)
const forms = ['(format csv)', '(format parquet, compression snappy)', '(format parquet, compression zstd)']
const medians = []
for (const form of forms) {
  const times = []
  for (let round = 0; round < 3; ++round) {
    const begun = process.cpuUsage()
    await connection.run(`copy t to '${folder}/peer' ${form}`)
    const { user, system } = process.cpuUsage(begun)
    times.push((user + system) / 1e6)
  }
  medians.push(times.sort((a, b) => a - b)[1])
}
console.log(medians.join(' '))
