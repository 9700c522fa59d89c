import { describe, expect, test } from '@jest/globals';
import { linkerFlagsOf, requiredVersion } from '../../cluster/programs.ts';

const goMod = `module example

require (
	github.com/spf13/cobra v1.10.2
	k8s.io/kubernetes v1.36.3
)

require k8s.io/utils v0.0.1 // indirect

replace (
	k8s.io/api => k8s.io/api v0.36.3
)
`;

describe('the version that a go.mod requires', () => {
  test.each([
    ['in a block', 'k8s.io/kubernetes', 'v1.36.3'],
    ['on a line of its own', 'k8s.io/utils', 'v0.0.1'],
  ])('is found %s', (_, module, version) => {
    expect(requiredVersion(goMod, module)).toBe(version);
  });

  test.each([['k8s.io/api'], ['k8s.io/kube']])('is not taken from a replacement or a longer name: %s', (module) => {
    expect(() => requiredVersion(goMod, module)).toThrow(`does not require ${module}`);
  });
});

describe('the flags of the linker', () => {
  test('leave out symbols', () => {
    expect(linkerFlagsOf({}, goMod)).toBe('-s -w');
  });

  test('stamp the version into every package that asks for one', () => {
    const flags = linkerFlagsOf(
      { stamped: { module: 'k8s.io/kubernetes', packages: ['a/version', 'b/version'] } },
      goMod,
    );
    expect(flags).toBe(
      '-s -w' +
        ' -X a/version.gitVersion=v1.36.3 -X a/version.gitMajor=1 -X a/version.gitMinor=36 -X a/version.gitTreeState=clean' +
        ' -X b/version.gitVersion=v1.36.3 -X b/version.gitMajor=1 -X b/version.gitMinor=36 -X b/version.gitTreeState=clean',
    );
  });
});
