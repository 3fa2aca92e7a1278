// What was good and what was not, counted; the walk goes on after a failure, so that one run shows all of them.
export const counts = { passed: 0, failed: 0 };

export function check(good, words) {
  good ? ++counts.passed : ++counts.failed;
  if (!good) console.log(`FAILED: ${words}`);
}

// What is done for each, so many at once.
export async function forEachOf(list, atOnce, work) {
  const left = list[Symbol.iterator]();
  const worker = async () => { for (const each of left) await work(each); };
  await Promise.all(Array.from({ length: atOnce }, worker));
}
