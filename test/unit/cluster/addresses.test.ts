import { describe, expect, test } from '@jest/globals';
import { addressesOf } from '../../cluster/addresses.ts';

const numbers = [1, 2, 3, 4, 5, 6, 7, 8, 9];

describe('the addresses of a cluster', () => {
  test('are those of its number', () => {
    expect(addressesOf(2)).toEqual({
      name: 'kc2',
      nodeName: 'kc2-n1',
      cable: 'kc2n1',
      host: '172.30.2.1',
      node: '172.30.2.11',
      apiServer: 'https://172.30.2.11:6443',
      pods: '10.102.1.0/24',
      podRange: '10.102.0.0/16',
      serviceRange: '10.202.0.0/16',
      kubernetesService: '10.202.0.1',
      dnsService: '10.202.0.10',
    });
  });

  test('are shared by no two clusters', () => {
    const all = numbers.flatMap((number) => Object.values(addressesOf(number)));
    expect(new Set(all).size).toBe(all.length);
  });

  test.each(numbers)('fit into the 15 bytes of a network device, number %d', (number) => {
    const { name, cable } = addressesOf(number);
    expect(Math.max(name.length, cable.length)).toBeLessThanOrEqual(15);
  });

  test.each([0, 10, 1.5, Number.NaN])('are refused to %d', (number) => {
    expect(() => addressesOf(number)).toThrow('a number from 1 to 9');
  });
});
