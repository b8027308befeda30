// Reads a Parquet file with DuckDB, hyparquet and parquet-wasm and compares each with what was written.
// Usage: node read_parquet.mjs FOLDER_OF_READERS FILE.parquet EXPECTED.json
// EXPECTED: {"rows": n, "row_groups": n, "columns": [{"name", "type", "unit", "values": [...]}]}; null is missing;
// doubles and 64-bit integers are texts. Exit 1 with the first difference of each reader.
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const [folder, file, expectedFile] = process.argv.slice(2)
const require = createRequire(folder + '/package.json')
const load = (name) => import(pathToFileURL(require.resolve(name)).href)
const expected = JSON.parse(readFileSync(expectedFile, 'utf8'))

const number = (text) => Number(text.replace('inf', 'Infinity'))
const wanted = {
  float64: (v) => number(v), int64: (v) => BigInt(v), timestamp: (v) => BigInt(v), boolean: (v) => v, text: (v) => v,
}
const shown = (v) => (typeof v === 'bigint' ? v + 'n' : JSON.stringify(v) ?? String(v)).slice(0, 80)

// columns: name -> array of values as in `wanted`, null where missing
function compare(columns, unit = (v) => v) {
  for (const { name, type, values } of expected.columns) {
    const got = columns[name]
    if (!got) return `no column ${shown(name)}`
    if (got.length !== values.length) return `${shown(name)}: ${got.length} values, not ${values.length}`
    for (let i = 0; i < values.length; ++i) {
      const raw = values[i] === null ? null : wanted[type](values[i])
      const want = type === 'timestamp' && raw !== null ? unit(raw) : raw
      if (!Object.is(got[i] ?? null, want) && !(got[i] === 0 && want === 0))
        return `${shown(name)}[${i}]: ${shown(got[i])}, not ${shown(want)}`
    }
  }
  return null
}

async function hyparquet() {
  const { parquetRead, parquetMetadataAsync, parquetSchema } = await load('hyparquet')
  const { compressors } = await load('hyparquet-compressors')
  const bytes = readFileSync(file)
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
  const metadata = await parquetMetadataAsync(buffer)
  if (Number(metadata.num_rows) !== expected.rows) return `${metadata.num_rows} rows`
  if (metadata.row_groups.length !== expected.row_groups) return `${metadata.row_groups.length} row groups`
  const fields = JSON.parse(metadata.key_value_metadata.find((m) => m.key === 'amoskys.fields').value)
  for (const [i, column] of expected.columns.entries())
    if (fields[i].name !== column.name || fields[i].unit !== column.unit) return `amoskys.fields[${i}]: ${shown(fields[i])}`
  const names = parquetSchema(metadata).children.map((c) => c.element.name)
  const columns = Object.fromEntries(names.map((n) => [n, []]))
  const parsers = { timestampFromNanoseconds: (v) => v }
  if (expected.rows > 0)
    await parquetRead({ file: buffer, metadata, compressors, parsers, rowFormat: 'array',
      onComplete: (rows) => { for (const row of rows) names.forEach((n, i) => columns[n].push(row[i])) } })
  return compare(columns)
}

async function wasm() {
  const { tableFromIPC } = await load('apache-arrow')
  const { readParquet } = require('parquet-wasm')
  const table = tableFromIPC(readParquet(new Uint8Array(readFileSync(file))).intoIPCStream())
  const columns = {}
  for (const field of table.schema.fields) {
    const vector = table.getChild(field.name)
    const values = []
    for (const piece of vector?.data ?? []) {
      const raw = String(field.type).startsWith('Timestamp')
      for (let i = 0; i < piece.length; ++i)
        values.push(piece.getValid(i) ? (raw ? piece.values[i] : null) : null)
    }
    columns[field.name] = String(field.type).startsWith('Timestamp') ? values : [...(vector ?? [])]
  }
  return compare(columns)
}

async function duckdb() {
  const { DuckDBInstance } = await load('@duckdb/node-api')
  const connection = await (await DuckDBInstance.create(':memory:', { threads: '1' })).connect()
  const ask = async (sql) => (await connection.runAndReadAll(sql)).getColumns()
  const quoted = (name) => '"' + name.replaceAll('"', '""') + '"'
  const source = `read_parquet('${file}')`
  const what = expected.columns.map(({ name, type }) => (type === 'timestamp' ? `epoch_ns(${quoted(name)})` : quoted(name)))
  const all = await ask(`select ${what.join()} from ${source}`)
  const columns = Object.fromEntries(expected.columns.map(({ name }, i) => [name, all[i] ?? []]))
  // Its time with a zone holds microseconds.
  const wrong = compare(columns, (ns) => ns / 1000n * 1000n)
  if (wrong) return wrong
  // Bounds: a search for each column's own least and largest value skips no row group that has them.
  const text = (type, v) => (type === 'text' ? `'${v.replaceAll("'", "''")}'` : `'${v}'::${type === 'int64' ? 'bigint' : 'double'}`)
  for (const { name, type, values } of expected.columns.slice(0, 8)) {
    if (!['float64', 'int64', 'text'].includes(type)) continue
    const there = values.filter((v) => v !== null && v.length < 1000)
    for (const v of [there[0], there.at(-1)]) {
      if (v === undefined) continue
      const count = Number((await ask(`select count(*) from ${source} where ${quoted(name)} = ${text(type, v)}`))[0][0])
      const want = values.filter((other) => other !== null && (type === 'text' ? other === v : Number(number(other)) === Number(number(v)))).length
      if (type !== 'int64' && count !== want) return `${shown(name)} = ${shown(v)}: ${count} rows, not ${want}`
      if (type === 'int64' && count !== values.filter((other) => other === v).length) return `${shown(name)} = ${v}: ${count} rows`
    }
  }
  const statistics = (await connection.runAndReadAll(
    `select path_in_schema, stats_null_count, num_values, stats_min_value, stats_max_value from parquet_metadata('${file}')`)).getRows()
  const nulls = {}
  for (const [name, count] of statistics) nulls[name.replace(/^"|"$/g, '')] = (nulls[name.replace(/^"|"$/g, '')] ?? 0) + Number(count)
  for (const { name, type, values } of expected.columns) {
    if (expected.rows > 0 && !/[",. ]/.test(name) && nulls[name] !== values.filter((v) => v === null).length)
      return `${name}: ${nulls[name]} nulls in the statistics`
    if (type !== 'float64' || expected.row_groups !== 1) continue
    const there = values.filter((v) => v !== null).map(number)
    const [, , , least, most] = statistics.find(([n]) => n === name) ?? []
    if (there.length > 0 && least != null && (Number(number(least)) !== Math.min(...there) || Number(number(most)) !== Math.max(...there)))
      return `${name}: bounds ${least} and ${most}`
  }
  return null
}

let failed = false
for (const reader of [hyparquet, wasm, duckdb]) {
  let wrong
  try {
    wrong = await reader()
  } catch (error) {
    wrong = error.stack ?? String(error)
  }
  if (wrong) {
    failed = true
    console.log(`${reader.name}: ${wrong}`)
  }
}
process.exit(failed ? 1 : 0)
