// How numbers are written.

/** With a comma after each three digits. (`toLocaleString` takes 15 ms when it is first used.) */
export function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}
