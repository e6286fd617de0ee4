// INTERIM stand-in, to be deleted by the unwinder: one frame a stack.
#include "preload/unwinder/walker.h"
#include "preload/modules.h"
namespace mallogram {
uint32_t Walker::Walk(const CallerState& c, uint32_t, StackTable* t){ CodeModule m; uint32_t idx=kNoModule; if(FindModule(c.pc-1,&m)) idx=m.index; stats_.walks++; return t->Intern(0,c.pc,idx);}
void ForgetCode(uint64_t,uint64_t){}
bool EnableVerify(const char**){return false;}
}
