// SPDX-License-Identifier: Apache-2.0
// The control API, as this page uses it.

export async function ask(path, method = "GET", body = undefined) {
  const answer = await fetch(path, {
    method,
    headers: body === undefined ? {} : { "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(10000),
  });
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  let detail = `${answer.status} ${answer.statusText}`;
  try {
    detail = (await answer.json()).detail ?? detail;
  } catch {
    // The status says enough.
  }
  throw new Error(detail);
}
