export function curves() {
  return "";
}
