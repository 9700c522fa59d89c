import { describe, expect, test } from '@jest/globals';
import { mustAgree, parseDatabaseUri } from '../../../src/runner/database-uri.ts';

const PLACE = 'the key uri of the Secret pg';
const parse = (text: string) => parseDatabaseUri(text, PLACE);

describe('a URI', () => {
  test.each([
    [
      'postgresql://app:s3cret@pg.shop.svc:5433/shop',
      { username: 'app', password: 's3cret', host: 'pg.shop.svc', port: 5433, database: 'shop' },
    ],
    ['postgres://app:x@pg', { username: 'app', password: 'x', host: 'pg' }],
    ['postgresql://app@pg/', { username: 'app', host: 'pg' }],
    ['postgresql://app:@pg', { username: 'app', host: 'pg' }],
    ['postgresql://app:x@/shop', { username: 'app', password: 'x', database: 'shop' }],
    [
      'postgresql://app:x@[fd00::1]:5432/shop',
      { username: 'app', password: 'x', host: 'fd00::1', port: 5432, database: 'shop' },
    ],
    [
      'postgresql://a%40b:p%2Fa%3As%40s%25%20%C3%A9+@pg/my%20db',
      { username: 'a@b', password: 'p/a:s@s% é+', host: 'pg', database: 'my db' },
    ],
    ["postgresql://app:a:b!$&'()*+,;=é@pg", { username: 'app', password: "a:b!$&'()*+,;=é", host: 'pg' }],
    ['postgresql://app:x@pg?sslmode=require', { username: 'app', password: 'x', host: 'pg', leastTls: 'require' }],
    [
      'postgresql://app:x@pg/shop?ssl=true&connect_timeout=3&application_name=shop',
      { username: 'app', password: 'x', host: 'pg', database: 'shop', leastTls: 'require' },
    ],
    [
      'postgresql://app:x@pg/shop?sslmode=require&channel_binding=require',
      { username: 'app', password: 'x', host: 'pg', database: 'shop', leastTls: 'require', channelBinding: true },
    ],
    ['postgresql://app:x@pg?channel_binding=prefer', { username: 'app', password: 'x', host: 'pg' }],
    ['postgresql://app:x@pg?sslmode=allow', { username: 'app', password: 'x', host: 'pg', leastTls: 'disable' }],
  ])('%s is read', (text, read) => {
    expect(parse(text)).toEqual(read);
  });

  test.each([
    ['another scheme', 'mysql://app:canary@pg/shop', 'does not begin with postgresql://'],
    ["SQLAlchemy's scheme", 'postgresql+asyncpg://app:canary@pg/shop', 'does not begin with postgresql://'],
    ['keywords', 'host=pg user=app password=canary', 'does not begin with postgresql://'],
    ['a slash in the password', 'postgresql://app:can/ary@pg/shop', 'must be percent-encoded'],
    ['a question mark in the password', 'postgresql://app:can?ary@pg/shop', 'must be percent-encoded'],
    ['an @ in the password', 'postgresql://app:can@ary@pg/shop', 'must be percent-encoded'],
    ['a # in the password', 'postgresql://app:can#ary@pg/shop', '#'],
    ['a space in the password', 'postgresql://app:can ary@pg/shop', 'a space'],
    ['a line break', 'postgresql://app:canary@pg/shop\n', 'a line break'],
    ['a percent sign alone', 'postgresql://app:canary%@pg', 'percent-encoded character'],
    ['bytes that are no UTF-8', 'postgresql://app:canary%ff@pg', 'percent-encoded character'],
    ['a NUL byte', 'postgresql://app:canary%00@pg', 'NUL'],
    ['no role', 'postgresql://pg/canary', 'names no role'],
    ['an empty role', 'postgresql://:canary@pg', 'names no role'],
    ['several hosts', 'postgresql://app:canary@pg1,pg2:5432/shop', 'several hosts'],
    ['several hosts with ports', 'postgresql://app:canary@pg1:5432,pg2:5432/shop', 'several hosts'],
    ['a socket', 'postgresql://app:canary@%2Fvar%2Frun%2Fpostgresql/shop', 'socket'],
    ['an abstract socket', 'postgresql://app:canary@%40pg/shop', 'socket'],
    ['no address between brackets', 'postgresql://app:canary@[pg]/shop', 'IPv6'],
    ['an IPv6 address without brackets', 'postgresql://app:canary@fd00::1/shop', 'host:port'],
    ['a port beyond the last', 'postgresql://app:canary@pg:65536', 'between 1 and 65535'],
    ['a port that is no number', 'postgresql://app:canary@pg:none', 'host:port'],
    ['no channel binding, though it could', 'postgresql://app:canary@pg?channel_binding=disable', 'channel_binding'],
    ['an sslmode that there is not', 'postgresql://app:x@pg?sslmode=canary', 'an sslmode that there is not'],
  ])('with %s is refused, may heal, and nothing of it is quoted', (_, text, problem) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({ reason: 'UriInvalid', outlook: 'retry', message: expect.stringContaining(problem) }),
    );
    expect(() => parse(text)).toThrow(PLACE);
    expect(() => parse(text)).not.toThrow(/canary|ary/);
  });

  test.each([
    ...['host=/tmp', 'host=evil', 'hostaddr=10.0.0.1', 'port=1', 'dbname=x', 'user=x', 'password=x', 'passfile=/x'],
    ...['service=x', 'servicefile=/x', 'options=-c%20search_path%3Dx', 'sslrootcert=/x', 'sslcert=/x', 'sslkey=/x'],
    ...['sslcrl=/x', 'sslnegotiation=direct', 'requiressl=0', 'require_auth=none'],
    ...[
      'sslkeylogfile=/x',
      'target_session_attrs=any',
      'gssencmode=require',
      'sslpassword=x',
      'min_protocol_version=3.0',
    ],
  ])('that sets %s is refused by that name', (parameter) => {
    const name = parameter.split('=')[0];
    expect(() => parse(`postgresql://app:x@pg/shop?sslmode=require&${parameter}`)).toThrow(
      expect.objectContaining({ reason: 'UriInvalid', message: expect.stringContaining(`sets ${name}, which`) }),
    );
  });

  test('a parameter that is none may be a piece of a password, so it is not named', () => {
    expect(() => parse('postgresql://app:x@pg/shop?canary=1')).toThrow("a parameter that is none of libpq's");
    expect(() => parse('postgresql://app:x@pg/shop?canary=1')).not.toThrow('canary');
  });
});

describe('a URI and a spec', () => {
  const spec = { host: 'pg.shop.svc', port: 5432, databases: ['shop', 'shop_copy'] };
  const agree = (uri: object, over: object = {}) => mustAgree({ username: 'app', ...uri }, { ...spec, ...over }, PLACE);

  test.each([{}, { host: 'PG.shop.svc', port: 5432, database: 'shop' }, { database: 'shop_copy' }])(
    'agree where the URI says %j',
    (uri) => {
      expect(() => agree(uri)).not.toThrow();
    },
  );

  test('agree about an IPv6 address however it is written', () => {
    expect(() => agree({ host: 'FD00:0:0::1' }, { host: 'fd00::1' })).not.toThrow();
    expect(() => agree({ host: 'fd00::2' }, { host: 'fd00::1' })).toThrow('another host');
  });

  test.each([
    ['host', { host: 'canary' }, 'which says pg.shop.svc'],
    ['port', { port: 6432 }, 'which says 5432'],
    ['database', { database: 'canary' }, 'which says "shop" or "shop_copy"'],
    ['database', { database: 'Shop' }, 'which says "shop"'],
  ])('that disagree about the %s are told apart by what the spec says', (what, uri, said) => {
    expect(() => agree(uri)).toThrow(
      expect.objectContaining({ reason: 'UriDisagrees', message: expect.stringContaining(`another ${what}`) }),
    );
    expect(() => agree(uri)).toThrow(said);
    expect(() => agree(uri)).not.toThrow('canary');
  });
});
