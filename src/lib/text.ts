/** Cut to so many characters, with a mark that something is missing. By whole ones: half of a pair would make JSON unreadable for some. */
export function cut(text: string, limit: number): string {
  const characters = [...text];
  return characters.length <= limit ? text : `${characters.slice(0, Math.max(0, limit - 1)).join('')}…`;
}
