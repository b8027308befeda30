// DuckDB reads a Parquet file and writes it as CSV, doubles as short as they read back.
// Usage: node parquet_to_csv.mjs FOLDER_OF_READERS FILE.parquet FILE.csv [COLUMN...]
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const [readers, from, to, ...columns] = process.argv.slice(2)
const require = createRequire(readers + '/package.json')
const { DuckDBInstance } = await import(pathToFileURL(require.resolve('@duckdb/node-api')).href)
const connection = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect()
const wanted = columns.length === 0
  ? '* replace (epoch_ns(window_start) as window_start, epoch_ns(window_end) as window_end)'
  : columns.map(name => `"${name}"`).join(', ')
await connection.run(`copy (select ${wanted} from read_parquet('${from}')) to '${to}' (format csv, header)`)
