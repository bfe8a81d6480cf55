// What the arithmetic gives at most: nothing but packed products of int8, LOOPS * 16 a thread, from registers.
@group(0) @binding(0) var<storage, read_write> sums: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let seed = sums[id.x % SUMS];
$for i 16
  let x$i$ = seed * 2654435761u + $i$u; var a$i$ = 0;
$end
  for (var k = 0u; k < LOOPS; k++) {
    let w = seed + k;
$for i 16
    a$i$ += dot4I8Packed(x$i$, w);
$end
  }
  var sum = 0;
$for i 16
  sum += a$i$;
$end
  if (sum == 12345) { sums[id.x % SUMS] = 1u; }
}
