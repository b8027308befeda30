// Asking the API. A problem (RFC 9457) becomes an Error with the server's own sentence.
export async function get(path, parameters = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== '' && value !== undefined && value !== null));
  const answer = await fetch(`/api/v1/${path}${query.size ? `?${query}` : ''}`, {cache: 'no-cache', credentials: 'same-origin'});
  return read(answer);
}
export async function post(path, body = {}) {
  const answer = await fetch(`/api/v1/${path}`, {method: 'POST', credentials: 'same-origin',
    headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)});
  return read(answer);
}
async function read(answer) {
  if (answer.status === 204) return null;
  const body = await answer.json().catch(() => null);
  if (answer.ok && body !== null) return body;
  const error = new Error(body?.detail ? [body.detail, body.hint].filter(Boolean).join(' – ') : `the server answered ${answer.status}`);
  error.status = answer.status;
  throw error;
}
