"""Runs one instruction at a time on Unicorn: a line of input is a case, a line of output its end.

Input:  code registers(16, hex, comma) flags vectors(16, hex of 32 digits, comma) memory(hex of 256 bytes)
Output: the same without the code, or "fault".
"""
import sys
from unicorn import Uc, UcError, UC_ARCH_X86, UC_MODE_64
from unicorn.x86_const import *

CODE, DATA = 0x10000, 0x20000
GPR = [UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RBX, UC_X86_REG_RSP, UC_X86_REG_RBP, UC_X86_REG_RSI,
       UC_X86_REG_RDI] + [UC_X86_REG_R8 + i for i in range(8)]
uc = Uc(UC_ARCH_X86, UC_MODE_64)
uc.mem_map(CODE, 0x1000)
uc.mem_map(DATA, 0x1000)
for line in sys.stdin:
    code, registers, flags, vectors, memory = line.split()
    code = bytes.fromhex(code)
    uc.mem_write(CODE, code + b"\x90" * 32)
    uc.mem_write(DATA, bytes.fromhex(memory))
    for register, value in zip(GPR, registers.split(",")):
        uc.reg_write(register, int(value, 16))
    for index, value in enumerate(vectors.split(",")):
        uc.reg_write(UC_X86_REG_XMM0 + index, int(value, 16))
    uc.reg_write(UC_X86_REG_EFLAGS, int(flags, 16))
    try:
        uc.emu_start(CODE, CODE + len(code))
    except UcError:
        print("fault", flush=True)
        continue
    print(",".join("%x" % uc.reg_read(r) for r in GPR), "%x" % uc.reg_read(UC_X86_REG_EFLAGS),
          ",".join("%032x" % uc.reg_read(UC_X86_REG_XMM0 + i) for i in range(16)), uc.mem_read(DATA, 256).hex(), flush=True)
