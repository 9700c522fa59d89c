import { StringDecoder } from 'node:string_decoder';

/** Far above the largest object that etcd takes; a longer line is no event, and must not fill the memory. */
const LINE_LIMIT = 16 * 1024 * 1024;

/** The lines of a byte stream. A last one without its newline is a line cut in half and not given. */
export async function* lines(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of stream) {
    const text = decoder.write(chunk);
    let start = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      yield rest + text.slice(start, end);
      rest = '';
      start = end + 1;
    }
    rest += text.slice(start);
    if (rest.length > LINE_LIMIT) throw new Error(`a line is longer than ${LINE_LIMIT} characters`);
  }
}
